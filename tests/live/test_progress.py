"""What the live display is told, from a real ledger with rows set by hand."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from simulator.engine import HopNow
from simulator.live.casting import cast
from simulator.live.ledger import Ledger
from simulator.live.progress import ProgressMeter
from simulator.live.settings import RoleSpec
from simulator.records import Outcome
from tests.support.jobs import steady, write_job

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

S = 1_000_000_000
T0 = 5 * S

TRAFFIC = [
    {"name": "first", "for": "1s", "arrivals": {"constant": "100/s"}},
    {"name": "second", "for": "2s", "arrivals": {"constant": "50/s"}},
]


@pytest.fixture
def watched(tmp_path: Path) -> Iterator[tuple[ProgressMeter, Ledger, tuple[RoleSpec, ...]]]:
    """A meter over two hundred planned connections, and the ledger of the generators."""
    with write_job(tmp_path, steady(traffic=TRAFFIC, balancer={"workers": 2})) as writer:
        settings = cast(writer.scenario, writer.folder, writer.connections)
        meter = ProgressMeter(writer.job, settings)
        yield meter, Ledger(writer.folder), settings.roles


Watched = tuple[ProgressMeter, Ledger, tuple[RoleSpec, ...]]


def put(ledger: Ledger, *outcomes: Outcome) -> None:
    for row, outcome in enumerate(outcomes):
        ledger.rows["outcome"][row] = outcome


def test_before_the_start_nothing_has_happened(watched: Watched) -> None:
    meter, _, _ = watched
    now = meter.progress("starting", 123 * S)
    assert (now.state, now.phase, now.elapsed_s, now.left_s) == ("starting", "first", 0.0, 3.0)
    assert (now.planned, now.sent, now.ok, now.failed, now.open) == (200, 0, 0, 0, 0)
    assert not meter.is_finished


def test_every_outcome_is_counted_once_where_it_belongs(watched: Watched) -> None:
    meter, ledger, _ = watched
    meter.begin(T0)
    put(ledger, *[Outcome.OK] * 5, *[Outcome.FAILED] * 3, *[Outcome.OPEN] * 2)
    for row, outcome in enumerate(Outcome, start=20):
        if outcome.name.startswith("NOT_SENT"):
            ledger.rows["outcome"][row] = outcome
    now = meter.progress("running", T0 + S // 2)
    assert (now.sent, now.ok, now.failed, now.open) == (10, 5, 3, 2)
    assert meter.count_open() == 2


def test_a_run_is_finished_when_no_row_is_planned_or_open(watched: Watched) -> None:
    meter, ledger, _ = watched
    meter.begin(T0)
    for last in (Outcome.PLANNED, Outcome.OPEN):
        put(ledger, *[Outcome.NOT_SENT_STOPPED] * 199, last)
        meter.progress("running", T0)
        assert not meter.is_finished
    put(ledger, *[Outcome.NOT_SENT_STOPPED] * 199, Outcome.FAILED)
    meter.progress("running", T0)
    assert meter.is_finished


@pytest.mark.parametrize(
    ("at_ns", "phase", "left_s"),
    [
        (-S, "first", 3.0),
        (0, "first", 3.0),
        (S - 1, "first", 2.0),
        (S, "second", 2.0),
        (3 * S, "second", 0.0),
        (9 * S, "second", 0.0),
    ],
)
def test_the_phase_and_what_is_left_of_it_all(
    watched: Watched, at_ns: int, phase: str, left_s: float
) -> None:
    meter, _, _ = watched
    meter.begin(T0)
    now = meter.progress("running", T0 + at_ns)
    assert now.phase == phase
    assert now.left_s == pytest.approx(left_s, abs=1e-6)


def test_the_rate_asked_for_is_the_plans_over_the_last_second(watched: Watched) -> None:
    meter, _, _ = watched
    meter.begin(T0)
    asked = {
        at: meter.progress("running", T0 + int(at * S)).asked_per_s for at in (0, 0.5, 1, 1.5, 2, 3)
    }
    assert asked[0] == 0
    assert asked[0.5] == pytest.approx(100, abs=2)
    assert asked[1] == pytest.approx(100, abs=1)
    assert asked[1.5] == pytest.approx(75, abs=1)
    assert asked[2] == asked[3] == pytest.approx(50, abs=1)


def test_the_rate_sent_is_over_about_the_last_second(watched: Watched) -> None:
    meter, ledger, _ = watched
    meter.begin(T0)
    for step in range(41):  # 20 at each tenth of a second for two seconds, then none
        put(ledger, *[Outcome.OK] * min(200, 10 * step))
        now = meter.progress("running", T0 + step * S // 10)
        if 10 < step <= 20:
            assert now.sent_per_s == now.ok_per_s == pytest.approx(100, rel=0.02), step
    assert now.sent_per_s == now.ok_per_s == 0


def test_errors_are_those_of_all_balancers_at_their_newest_tick(watched: Watched) -> None:
    meter, _, roles = watched
    first, second = (role for role in roles if role.kind == "balancer")
    client = next(role for role in roles if role.kind == "client")
    meter.tick(first, {"dial_errors": {"connect/EADDRNOTAVAIL": 3}})
    meter.tick(first, {"dial_errors": {"connect/EADDRNOTAVAIL": 5}})
    meter.tick(second, {"dial_errors": {"connect/EADDRNOTAVAIL": 2, "bind/EADDRINUSE": 1}})
    meter.tick(client, {"dial_errors": {"ignored": 9}})
    assert meter.progress("running", T0).errors == {
        "balancer connect/EADDRNOTAVAIL": 7,
        "balancer bind/EADDRINUSE": 1,
    }


def hop(worst: dict[str, Any] | None) -> dict[str, Any]:
    return {"hops": {"balancer-backend": {"budget": 1000, "worst": worst}}}


def test_a_hop_shows_its_worst_group_and_zeros_when_it_has_none(watched: Watched) -> None:
    meter, _, _ = watched
    meter.sample(hop({"established": 3, "time_wait": 990, "other": 1}))
    shown = HopNow(name="balancer-backend", budget=1000, established=3, time_wait=990, other=1)
    assert meter.progress("running", T0).hops == (shown,)
    meter.sample(hop(None))
    assert meter.progress("running", T0).hops == (
        HopNow(name="balancer-backend", budget=1000, established=0, time_wait=0, other=0),
    )


def test_when_closed_the_counts_stay_and_the_files_are_let_go(watched: Watched) -> None:
    meter, ledger, _ = watched
    meter.begin(T0)
    put(ledger, *[Outcome.OK] * 200)
    meter.progress("running", T0)
    meter.close()
    assert meter.is_finished
