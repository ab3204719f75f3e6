"""When connections are due, as a scenario file says it: the grammar of `arrivals`."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, WithJsonSchema, model_validator

from simulator.scenario.fields import Mapping, RatePerS, TimeNs, about, exactly_one

MAX_STEPS = 256
#: The fields of a rate, by the way in which it runs through the phase.
_SHAPES = ("from_per_s", "steps", "bursts", "sine")
_PART = "[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}"
#: A file below the scenario's folder: plain names joined by slashes.
TRACE_JSON = rf"^{_PART}(/{_PART}){{0,7}}$"


def _trace_name(text: str) -> str:
    if not re.fullmatch(TRACE_JSON, text):
        raise ValueError(
            "is no file below the scenario's folder; write names of letters, digits, _ - and . "
            "joined by slashes, such as traces/monday.csv"
        )
    return text


TraceName = Annotated[
    str,
    AfterValidator(_trace_name),
    WithJsonSchema({"type": "string", "pattern": TRACE_JSON}),
]


class Step(Mapping):
    """A steady rate for a part of the phase."""

    rate: RatePerS = Field(description="the rate")
    for_ns: TimeNs = Field(alias="for", gt=0, description="how long")


class Bursts(Mapping):
    """A steady rate that goes on and off; the phase begins with it on, nothing is due while off."""

    rate: RatePerS = Field(description="the rate while on")
    on: TimeNs = Field(ge=1_000, description="how long it is on")
    off: TimeNs = Field(gt=0, description="how long it is off")


class Sine(Mapping):
    """A rate that swings about its mean, as day and night do; it begins at the mean and rises."""

    mean: RatePerS = Field(description="the rate in the middle")
    amplitude: RatePerS = Field(description="how far it swings to both sides; at most `mean`")
    period: TimeNs = Field(ge=1_000, description="from one peak to the next")

    @model_validator(mode="after")
    def _never_below_nothing(self) -> Sine:
        if self.amplitude > self.mean:
            raise about("amplitude", "is more than mean, and no rate is below 0; lower it")
        return self


class Rate(Mapping):
    """A rate: steady (`100/s` alone), changing evenly, in steps, in bursts, or as a sine."""

    from_per_s: RatePerS | None = Field(
        default=None, alias="from", description="rate at the start of the phase"
    )
    to_per_s: RatePerS | None = Field(
        default=None, alias="to", description="rate at the end of the phase; stands with `from`"
    )
    steps: tuple[Step, ...] | None = Field(
        default=None,
        min_length=1,
        max_length=MAX_STEPS,
        description="steady rates one after the other; together they last as long as the phase",
    )
    bursts: Bursts | None = Field(default=None, description="on and off in turn")
    sine: Sine | None = Field(default=None, description="a swing about a mean, again and again")

    @model_validator(mode="before")
    @classmethod
    def _plain_is_steady(cls, value: object) -> object:
        if isinstance(value, (int, float)):
            raise ValueError("needs a unit; write 2000/s, or {from: 100/s, to: 2000/s}")
        return {"from": value, "to": value} if isinstance(value, str) else value

    @model_validator(mode="after")
    def _one_shape(self) -> Rate:
        for key, other, given, needs in (
            ("from", "to", self.from_per_s, self.to_per_s),
            ("to", "from", self.to_per_s, self.from_per_s),
        ):
            if given is not None and needs is None:
                edge = "start" if other == "from" else "end"
                raise about(
                    other,
                    f"is missing beside {key}; give `{other}`: rate at the {edge} of the phase",
                )
        shapes = [name for name in _SHAPES if getattr(self, name) is not None]
        if len(shapes) != 1:
            names = "`from` and `to`, `steps`, `bursts`, `sine`"
            if not shapes:
                raise ValueError(f"gives no rate; write 2000/s, or one of {names}")
            raise about(
                shapes[1].removesuffix("_per_s"), f"stands beside another; keep one of {names}"
            )
        return self

    @property
    def shape(self) -> Literal["ramp", "steps", "bursts", "sine"]:
        """How the rate runs through the phase; a steady rate is a ramp between equals."""
        if self.steps is not None:
            return "steps"
        if self.bursts is not None:
            return "bursts"
        return "ramp" if self.sine is None else "sine"


class Arrivals(Mapping):
    """When connections are due: open loop, whatever happened to those before."""

    constant: Rate | None = Field(default=None, description="evenly spaced, at a rate")
    poisson: Rate | None = Field(default=None, description="a Poisson process, at a rate")
    trace: TraceName | None = Field(
        default=None,
        description=(
            "a CSV file below the scenario's folder: a header with `due_s` and optionally "
            "`lifetime_s`, `request_bytes`, `response_bytes`, then one connection a line"
        ),
    )

    @model_validator(mode="after")
    def _exactly_one(self) -> Arrivals:
        exactly_one(self, ("constant", "poisson", "trace"))
        return self

    @property
    def rate(self) -> Rate | None:
        """The rate behind the arrivals; None for a trace, which has none."""
        return self.constant or self.poisson
