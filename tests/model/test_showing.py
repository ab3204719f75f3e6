"""Progress is shown at its pace, a wish to stop is heard once, and rates are of modelled time."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from simulator.engine import Job
from simulator.model.showing import SHOW_NS, Showing, progress_at
from tests.support.jobs import Watcher
from tests.support.runs import scenario

if TYPE_CHECKING:
    from simulator.engine import Progress

TWO = scenario(
    traffic=[
        {"name": "first", "for": "2s", "arrivals": {"constant": "10/s"}},
        {"name": "second", "for": "2s", "arrivals": {"constant": "10/s"}},
    ]
)


def at(seconds: float, state: str = "running") -> Progress:
    job = Job(scenario=TWO, folder=Path(), connections=40)
    return progress_at(
        *(job, state, int(seconds * 1e9)),
        planned=40,
        asked=30,
        sent=20,
        ok=10,
        failed=6,
        still_open=4,
    )


async def test_progress_comes_at_its_pace_and_a_wish_once() -> None:
    clock = iter([SHOW_NS, SHOW_NS + 1, 2 * SHOW_NS, 3 * SHOW_NS])
    showing = Showing(watch := Watcher(stop_in="draining", level=1), lambda: next(clock))
    assert not await showing.now(lambda: at(1))
    assert not await showing.now(lambda: at(1, "draining")), "too soon to be shown"
    assert watch.states == ["running"]
    assert await showing.now(lambda: at(1, "draining"))
    assert showing.stop_level == 1
    assert not await showing.now(lambda: at(1, "draining")), "nothing new"


def test_rates_are_of_modelled_time() -> None:
    found = at(2.0)
    assert (found.phase, found.left_s, found.elapsed_s) == ("second", 2.0, 2.0)
    assert (found.asked_per_s, found.sent_per_s, found.ok_per_s) == (15.0, 10.0, 5.0)
    assert (found.open, found.failed) == (4, 6)
    assert at(9.0).phase == "second"
    assert at(9.0).left_s == 0.0
