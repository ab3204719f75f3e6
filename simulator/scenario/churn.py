"""Backends that come and go: at a rate, at given times, or by a schedule of how many there are."""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, PlainSerializer, WithJsonSchema, model_validator

from simulator.scenario.fields import (
    Count,
    Mapping,
    RatePerS,
    TimeNs,
    about,
    as_written,
)

Leave = Literal["drain", "crash", "hang"]
#: More backends than a scenario can have: as many as there are.
ALL = 1 << 20


def _all_as_number(value: object) -> object:
    if value == "all":
        return ALL
    if isinstance(value, str):
        raise ValueError("is neither a number nor all")
    return value


HowMany = Annotated[
    Count,
    BeforeValidator(_all_as_number),
    PlainSerializer(lambda value: "all" if value == ALL else value, when_used="json"),
    WithJsonSchema({"anyOf": [{"type": "integer", "minimum": 1}, {"const": "all"}]}),
]


class Departure(Mapping):
    """Some backends leave at a given time and come back later."""

    time: TimeNs = Field(description="when, since the start of the run")
    backends: HowMany = Field(default=1, description="how many leave at once, or `all`")
    leave: Leave | None = Field(default=None, description="how; default: the `leave` of churn")
    away: TimeNs | None = Field(
        default=None, description="how long they are gone; default: the `away` of churn"
    )


class ScaleStep(Mapping):
    """From a time on, the backends with the first so many ids are wanted, and no others."""

    time: TimeNs = Field(description="when; `0s` is how many there are at the start")
    count: Count = Field(description="how many are wanted; `backends.count` is the most")


class Churn(Mapping):
    """Backends leave, come back on a new port of their allocator, and are announced late."""

    rate: RatePerS | None = Field(
        default=None, description="one backend at random leaves at so many moments (Poisson)"
    )
    away: TimeNs = Field(default=as_written("3s"), description="how long a backend is gone")
    leave: Leave = Field(
        default="drain",
        description=(
            "how a backend leaves: `drain` (accepts no more, finishes what it has), `crash` "
            "(resets everything), `hang` (answers no more and keeps its port until it is back)"
        ),
    )
    at: Annotated[tuple[Departure, ...], Field(max_length=256)] = Field(
        default=(), description="departures at given times"
    )
    scale: Annotated[tuple[ScaleStep, ...], Field(max_length=256)] = Field(
        default=(), description="how many backends are wanted, in order of time"
    )

    @model_validator(mode="after")
    def _something_happens(self) -> Churn:
        if self.rate is None and not self.at and not self.scale:
            raise ValueError("has none of rate, at, scale; give one of them")
        times = [step.time for step in self.scale]
        for index, (before, after) in enumerate(pairwise(times), start=1):
            if after <= before:
                raise about(f"scale.{index}.time", "is not after the step before; order them")
        return self
