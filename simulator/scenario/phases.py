"""The stretches of a scenario's traffic: what is asked, for how long, and how much of it."""

from __future__ import annotations

import math
from typing import Annotated

from pydantic import Field, model_validator

from simulator.scenario.arrivals import Arrivals  # noqa: TC001 - read by pydantic
from simulator.scenario.distributions import Duration  # noqa: TC001 - read by pydantic
from simulator.scenario.fields import (
    Count,
    Mapping,
    RatePerS,
    SizeBytes,
    TimeNs,
    about,
    as_written,
    exactly_one,
    time_text,
)
from simulator.scenario.requests import Requests
from simulator.scenario.turns import Users  # noqa: TC001 - read by pydantic
from simulator.units import NS_PER_S

MAX_CONNECTIONS = 5_000_000


class Hold(Mapping):
    """Open this many connections at a paced rate and keep them to the end of the phase."""

    connections: Annotated[Count, Field(le=MAX_CONNECTIONS)] = Field(description="how many to hold")
    rate: RatePerS = Field(default=as_written("5000/s"), description="how fast they are opened")
    ramp: TimeNs = Field(
        default=as_written("0ms"),
        description="that rate is reached only after so long, rising evenly from nothing",
    )

    @property
    def opening_ns(self) -> int:
        """How long it takes to open them all: n / rate + ramp / 2, or less than the ramp, in ns."""
        within = self.rate * self.ramp / NS_PER_S / 2  # opened by the end of the ramp
        if self.connections > within:
            return math.ceil(self.connections / self.rate * NS_PER_S + self.ramp / 2)
        return math.ceil(math.sqrt(self.connections / within) * self.ramp)

    @property
    def peak_per_s(self) -> float:
        """The highest rate that is reached."""
        within = self.rate * self.ramp / NS_PER_S / 2
        return self.rate * min(1.0, math.sqrt(self.connections / within) if within else 1.0)


class Phase(Mapping):
    """One stretch of traffic; phases follow each other."""

    name: Annotated[str, Field(min_length=1, max_length=64)] = Field(
        description="its name in results"
    )
    for_ns: TimeNs = Field(alias="for", gt=0, description="how long it lasts")
    warmup: bool = Field(default=False, strict=True, description="left out of latencies and rates")
    arrivals: Arrivals | None = Field(default=None, description="when connections are due")
    hold: Hold | None = Field(default=None, description="connections to open and keep")
    users: Users | None = Field(default=None, description="a closed loop of users")
    lifetime: Duration = Field(
        default=as_written("0ms"),
        description="how long a connection stays open once connected; not with `hold`",
    )
    requests: Requests = Field(
        default_factory=lambda: Requests(constant=1),
        description="requests on each connection, spread evenly over its lifetime",
    )
    think: Duration = Field(
        default=as_written("0ms"),
        description=(
            "pause of the client between an answer and its next request, instead of a lifetime; "
            "not with `hold`"
        ),
    )
    request_size: SizeBytes = Field(
        default=as_written("64B"), le=16 << 20, description="bytes of a request's body"
    )
    response_size: SizeBytes = Field(
        default=as_written("64B"), le=64 << 20, description="bytes of an answer's body"
    )

    @model_validator(mode="after")
    def _shape(self) -> Phase:
        exactly_one(self, ("arrivals", "hold", "users"))
        if self.hold is not None and self.lifetime.mean_ns:
            message = (
                "stands beside hold, whose connections live to the end of the phase; delete it"
            )
            raise about("lifetime", message)
        if self.think.mean_ns and (self.hold is not None or self.lifetime.mean_ns):
            other = "hold" if self.hold is not None else "lifetime"
            message = f"stands beside {other}, which spaces the requests already; keep one of them"
            raise about("think", message)
        steps = self.arrivals.rate.steps if self.arrivals and self.arrivals.rate else None
        if steps is not None and sum(step.for_ns for step in steps) != self.for_ns:
            lasts = time_text(sum(step.for_ns for step in steps))
            message = f"has steps of {lasts} in all, but the phase lasts {time_text(self.for_ns)}"
            raise about("arrivals", f"{message}; make them the same")
        if self.hold is not None and self.hold.opening_ns > self.for_ns:
            need = time_text(math.ceil(self.hold.opening_ns / NS_PER_S) * NS_PER_S)
            raise about("hold", f"needs {need} to open them all at its rate; lengthen `for`")
        return self
