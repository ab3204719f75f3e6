"""Backends of the model that stop listening and begin again on the port that they keep.

What they had accepted goes on; who connects meanwhile is refused. The moments are those that the
kernel engine plans (`traffic/flapping.py`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from simulator.model.backends import REFUSING, UP
from simulator.traffic.flapping import first_down_ns, flapping_ids, turns

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from simulator.model.agenda import Agenda
    from simulator.model.backends import Backends
    from simulator.scenario.schema import Scenario


def begin_flapping(
    scenario: Scenario,
    agenda: Agenda,
    backends: Backends,
    write: Callable[[str, dict[str, Any]], None],
) -> None:
    """Put down the first change of every backend that flaps; each puts down the next one.

    Args:
        scenario: whose.
        agenda: when.
        backends: who.
        write: takes a line of a stream.
    """
    flapping = scenario.backends.flapping
    if flapping is None:
        return

    def note(backend: int, coming: Iterator[tuple[int, bool]]) -> None:
        turn = next(coming, None)
        if turn is not None:
            agenda.at(turn[0], change, (backend, turn[1]), coming)

    def change(what: tuple[int, bool], coming: Iterator[tuple[int, bool]]) -> None:
        backend, listens = what
        backends.all[backend].state = UP if listens else REFUSING
        name = "backend-up" if listens else "backend-down"
        write("events", {"t_ns": agenda.now_ns, "event": name, "backend": backend})
        note(backend, coming)

    for backend in flapping_ids(scenario):
        first = first_down_ns(scenario, backend)
        note(backend, turns(first, flapping.up, flapping.down, scenario.duration_ns))
