"""A second relay, beside the clients, as in a service mesh: client, sidecar, balancer, backend.

A relay takes one port of its own for each connection, toward the one next relay: its budget is not
multiplied by the backends, as the balancer's is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from simulator.scenario.fields import Count, Mapping, TimeNs, as_written
from simulator.scenario.source import Source

if TYPE_CHECKING:
    from simulator.scenario.schema import Scenario


class Sidecar(Mapping):
    """A relay between the clients and the balancer; every connection passes both."""

    source: Source = Field(
        default_factory=Source, description="source addresses and ports toward the balancer"
    )
    workers: Annotated[Count, Field(le=64)] = Field(
        default=1, description="relay processes on one port"
    )
    connect_timeout: TimeNs = Field(
        default=as_written("3s"), gt=0, description="longest wait for the balancer to accept"
    )
    idle_timeout: TimeNs = Field(
        default=as_written("60s"), gt=0, description="a connection silent for so long is closed"
    )
    backlog: Annotated[Count, Field(le=65535)] = Field(
        default=4096, description="accept queue asked for"
    )
    descriptors: Annotated[Count, Field(ge=32)] | None = Field(
        default=None, description="descriptor limit of each relay process"
    )


def sidecar_fits(scenario: Scenario) -> list[tuple[str, str]]:
    """What a sidecar cannot stand before, and cannot do; path and message of each."""
    if scenario.sidecar is None:
        return []
    found = []
    balancer = scenario.balancer
    if balancer.driver != "own":
        found.append(
            (
                "sidecar",
                f"stands before our own balancer only, but balancer.driver is {balancer.driver}",
            )
        )
    if balancer.close == "balancer" and scenario.sidecar.idle_timeout <= balancer.idle_timeout:
        found.append(
            (
                "sidecar.idle_timeout",
                (
                    "is not above balancer.idle_timeout, so that the balancer would not close "
                    "first as balancer.close says"
                ),
            )
        )
    return found
