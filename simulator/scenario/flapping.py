"""Backends that stop listening and begin again on the same port, over and over."""

from __future__ import annotations

from pydantic import Field

from simulator.scenario.fields import Count, Mapping, TimeNs, as_written


class Flapping(Mapping):
    """A backend that keeps its port, and listens on it only part of the time.

    What it had accepted goes on; who connects while it does not listen is refused.
    """

    count: Count = Field(
        default=1, description="so many backends, after the refusing and the hanging ones"
    )
    up: TimeNs = Field(
        default=as_written("300ms"), ge=10_000_000, description="how long it listens at a time"
    )
    down: TimeNs = Field(
        default=as_written("200ms"), ge=10_000_000, description="how long it does not"
    )
