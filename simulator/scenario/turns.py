"""Connections that wait for others, as a scenario file says it: `users` and `retry`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from simulator.scenario.fields import Count, Mapping, TimeNs, Where, as_written

if TYPE_CHECKING:
    from simulator.scenario.schema import Scenario


class Retry(Mapping):
    """What a client does when its connection fails: the same once more, after a pause."""

    attempts: Annotated[int, Field(ge=2, le=10, strict=True)] = Field(
        default=3, description="tries in all, the first included; each is a row of its own"
    )
    backoff: TimeNs = Field(
        default=as_written("100ms"), gt=0, description="pause before the second try"
    )
    factor: Annotated[float, Field(ge=1, le=10, strict=True)] = Field(
        default=2, description="each further pause is so many times the one before"
    )
    jitter: Literal["none", "full"] = Field(
        default="none",
        description="`none` keeps the pauses exact; `full` draws each evenly from 0 to its length",
    )


class Users(Mapping):
    """Closed loop: so many users; each connects, is served, closes, thinks, and connects again."""

    count: Annotated[Count, Field(le=100_000)] = Field(description="how many users")
    think: TimeNs = Field(
        ge=1_000_000,
        description=(
            "pause of a user between two connections; users begin one after the other, evenly "
            "spread over the first such pause"
        ),
    )
    draw: Literal["constant", "exponential"] = Field(
        default="constant", description="`think` is always so long, or so long on average"
    )


def do_not_go_together(scenario: Scenario) -> list[tuple[Where, str]]:
    """Keys that do not go together with connections that wait for others, and why."""
    wrong: list[tuple[Where, str]] = []
    clients, phases = scenario.clients, scenario.traffic
    closed = [phase.users is not None for phase in phases]
    if any(closed) and not all(closed):
        key = f"traffic.{closed.index(True)}.users"
        wrong.append((key, "stands beside open loops; give every phase users, or none"))
    if clients.idle_timeout and not any(phase.think.mean_ns for phase in phases):
        wrong.append(("clients.idle_timeout", "is not used, since no phase has `think`"))
    if clients.retry is not None:
        message = "is not there for {} yet; leave it out, or use arrivals"
        if any(closed):
            wrong.append(("clients.retry", message.format("users")))
        if any(phase.hold is not None for phase in phases):
            wrong.append(("clients.retry", message.format("hold")))
    return wrong
