"""When flapping backends stop listening: drawn from the seed before anything runs; pure.

A backend's times are regular, so all that is drawn is when it first stops: uniform over one period,
for each backend by a stream of its own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from simulator.seeds import pure_random

if TYPE_CHECKING:
    from collections.abc import Iterator

    from simulator.scenario.schema import Scenario


def flapping_ids(scenario: Scenario) -> range:
    """Which backends flap."""
    flapping = scenario.backends.flapping
    if flapping is None:
        return range(0)
    first = scenario.backends.refusing + scenario.backends.faults.hanging
    return range(first, first + flapping.count)


def first_down_ns(scenario: Scenario, backend: int) -> int:
    """When a flapping backend stops listening for the first time, ns since the start."""
    flapping = scenario.backends.flapping
    assert flapping is not None, "it flaps"
    draw = pure_random(scenario.seed, "flapping", backend)
    return draw.randrange(flapping.up + flapping.down)


def turns(first_ns: int, up_ns: int, down_ns: int, end_ns: int) -> Iterator[tuple[int, bool]]:
    """Each moment at which one backend changes, and whether it listens from then on.

    Nothing changes at or after ``end_ns``.
    """
    at_ns, listens = first_ns, False
    while at_ns < end_ns:
        yield at_ns, listens
        at_ns += up_ns if listens else down_ns
        listens = not listens
