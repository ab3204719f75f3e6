"""A time that is constant or varies: exponential, lognormal, Pareto, or fast with a few slow ones.

Each gives its mean, so that `explain` can work with it; `traffic.lifetimes` draws from it.
"""

from __future__ import annotations

import math
from typing import Annotated

from pydantic import Field, model_validator

from simulator.scenario.fields import (
    MAX_DURATION_NS,
    Mapping,
    TimeNs,
    about,
    as_written,
    exactly_one,
)

#: Number of a shape; far outside these bounds nothing but the caps would be drawn.
Shape = Annotated[float, Field(gt=0, le=20, strict=True, allow_inf_nan=False)]


class Lognormal(Mapping):
    """Lognormal: half of all draws are below `median`, and their logarithm spreads by `sigma`."""

    median: TimeNs = Field(gt=0, description="half of the draws are shorter")
    sigma: Annotated[float, Field(gt=0, le=3, strict=True, allow_inf_nan=False)] = Field(
        description="standard deviation of the logarithm; 1 is already a long tail"
    )

    @property
    def mean_ns(self) -> int:
        """The mean, ns: median * exp(sigma^2 / 2)."""
        return min(MAX_DURATION_NS, round(self.median * math.exp(self.sigma**2 / 2)))


class Pareto(Mapping):
    """Pareto, cut at `cap`: a tail that falls as a power, as sizes of files and answers do."""

    scale: TimeNs = Field(gt=0, description="the shortest")
    alpha: Shape = Field(description="power of the tail; below 2 a few draws carry most of the sum")
    cap: TimeNs = Field(default=as_written("60s"), description="none is longer")

    @model_validator(mode="after")
    def _cap_is_above(self) -> Pareto:
        if self.cap <= self.scale:
            raise about("cap", "is not more than the scale, so nothing could vary")
        return self

    @property
    def mean_ns(self) -> int:
        """The mean of the truncated distribution, ns.

        Source: Harchol-Balter, Performance Modeling and Design of Computer Systems (2013),
        section 20.3 (bounded Pareto), its density times x, integrated from scale to cap.
        """
        low, high, alpha = float(self.scale), float(self.cap), float(self.alpha)
        kept: float = 1 - (low / high) ** alpha  # what the cut leaves of the whole
        if math.isclose(alpha, 1, abs_tol=1e-9):
            return round(low * math.log(high / low) / kept)
        beyond: float = (low / high) ** (alpha - 1)
        return round(alpha * low / (alpha - 1) * (1 - beyond) / kept)


class Bimodal(Mapping):
    """Two constant times: most draws are `fast`, a `share` of them is `slow`."""

    fast: TimeNs = Field(description="time of most")
    slow: TimeNs = Field(description="time of the few")
    share: Annotated[float, Field(ge=0, le=1, strict=True, allow_inf_nan=False)] = Field(
        description="share of the slow ones, from 0 to 1"
    )

    @property
    def mean_ns(self) -> int:
        """The mean, ns."""
        return round(self.fast + self.share * (self.slow - self.fast))


class Duration(Mapping):
    """A time that may vary: `2ms` alone means constant."""

    constant: TimeNs | None = Field(default=None, description="always this long")
    exponential: TimeNs | None = Field(
        default=None, description="exponentially distributed with this mean"
    )
    lognormal: Lognormal | None = Field(default=None, description="a long tail to the right")
    pareto: Pareto | None = Field(default=None, description="a tail that falls as a power")
    bimodal: Bimodal | None = Field(default=None, description="mostly fast, sometimes slow")

    @model_validator(mode="before")
    @classmethod
    def _plain_is_constant(cls, value: object) -> object:
        if isinstance(value, (int, float)):
            raise ValueError("needs a unit; write 2ms, or {exponential: 2ms}")
        return {"constant": value} if isinstance(value, str) else value

    @model_validator(mode="after")
    def _exactly_one(self) -> Duration:
        exactly_one(self, ("constant", "exponential", "lognormal", "pareto", "bimodal"))
        return self

    @property
    def mean_ns(self) -> int:
        """The mean, in ns."""
        shaped = self.lognormal or self.pareto or self.bimodal
        if shaped is not None:
            return shaped.mean_ns
        return self.constant if self.constant is not None else (self.exponential or 0)
