"""Recovery after churn: the time from the event until what is sent succeeds as before."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from simulator.measure.recovery import recoveries
from simulator.measure.summary import summarize
from simulator.records import Call, Ending
from simulator.seeds import generator
from tests.support.runs import MS, RunBuilder, S

if TYPE_CHECKING:
    from pathlib import Path


def run(seconds: int, bad: list[tuple[int, int]], gap_ns: int = 5 * MS) -> RunBuilder:
    """Evenly sent connections, of which those sent in the given stretches fail."""
    due = list(range(0, seconds * S, gap_ns))
    made = RunBuilder().planned(due)
    for row, moment in enumerate(due):
        if any(begin <= moment < end for begin, end in bad):
            made.failed(row, Call.RECV, Ending.EOF)
        else:
            made.ok(row)
    return made


def only(made: RunBuilder, root: Path) -> dict[str, Any]:
    (found,) = recoveries(made.run(root))
    return found


@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=15
)
@given(st.integers(0, 9), st.integers(1, 12))
def test_an_outage_is_as_long_as_it_was_to_a_bin(tmp_path: Path, begins: int, bins: int) -> None:
    begin = S + begins * 100 * MS
    made = run(4, [(begin, begin + bins * 100 * MS)]).event(
        "backend-left", begin, backend=2, how="crash"
    )
    found = only(made, tmp_path)
    assert found["recovery_s"] == pytest.approx(bins * 0.1)
    assert (found["ok_before"], found["ok_lowest"]) == (1.0, 0.0)
    assert (found["event"], found["how"], found["backends"]) == ("backend-left", "crash", [2])


def test_an_event_that_nobody_felt_took_no_time(tmp_path: Path) -> None:
    found = only(run(3, []).event("backend-back", 1550 * MS, backend=0, how="drain"), tmp_path)
    assert (found["recovery_s"], found["ok_lowest"]) == (0.0, 1.0)


def test_what_never_comes_back_has_no_time(tmp_path: Path) -> None:
    found = only(run(3, [(2 * S, 3 * S)]).event("backend-left", 2 * S, backend=0), tmp_path)
    assert found["recovery_s"] is None
    assert found["ok_lowest"] == 0.0


def test_one_good_bin_is_not_back(tmp_path: Path) -> None:
    bad = [(S, 1200 * MS), (1300 * MS, 1500 * MS)]
    found = only(run(3, bad).event("backend-left", S, backend=0), tmp_path)
    assert found["recovery_s"] == pytest.approx(0.5)


def test_connections_cut_by_the_event_do_not_spoil_what_was_before(tmp_path: Path) -> None:
    """Those sent in the last 200 ms before were still open, and failed with it."""
    found = only(run(3, [(1800 * MS, 2300 * MS)]).event("backend-left", 2 * S, backend=0), tmp_path)
    assert found["ok_before"] == 1.0
    assert found["recovery_s"] == pytest.approx(0.3)


def test_too_early_to_know_what_was_before(tmp_path: Path) -> None:
    found = only(run(2, []).event("backend-left", 100 * MS, backend=0), tmp_path)
    assert (found["ok_before"], found["recovery_s"]) == (None, None)


def test_all_at_once_is_one_event(tmp_path: Path) -> None:
    made = run(3, [])
    for backend in range(4):
        made.event("backend-left", S + backend * MS, backend=backend, how="hang")
    made.event("backend-left", S + 4 * MS, backend=9, how="crash")
    made.event("backend-left", 2 * S, backend=0, how="crash")
    found = recoveries(made.run(tmp_path))
    assert [one["backends"] for one in found] == [[0, 1, 2, 3], [9], [0]]


def test_random_arrivals_alone_are_no_fall(tmp_path: Path) -> None:
    """20 a second: bins hold 0 to 7, and all succeed."""
    due = generator(1, "due").uniform(0, 5 * S, 100).astype(int)
    made = RunBuilder().planned(sorted(due.tolist()))
    for row in range(100):
        made.ok(row)
    assert only(made.event("backend-left", 2 * S, backend=0), tmp_path)["recovery_s"] == 0.0


def test_it_is_in_the_summary_and_empty_without_churn(tmp_path: Path) -> None:
    assert summarize(run(1, []).run(tmp_path))["recoveries"] == []
    assert recoveries(RunBuilder().planned([]).event("backend-left", 0).run(tmp_path / "b"))[0] == {
        "t_s": 0.0, "event": "backend-left", "how": None, "backends": [None],
        "ok_before": None, "ok_lowest": None, "recovery_s": None,
    }  # fmt: skip
