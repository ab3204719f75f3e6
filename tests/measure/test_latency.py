"""Latencies by hand: from due, from sent, without the warm-up."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from simulator.measure.latency import latency_table, mean_hold_s, peak_concurrent, times_ns
from simulator.records import Call, Ending
from tests.support.runs import MS, RunBuilder, S, scenario

if TYPE_CHECKING:
    from pathlib import Path

RATE = {"constant": "100/s"}


def test_response_counts_from_due_and_service_from_sent(tmp_path: Path) -> None:
    run = RunBuilder().planned([0]).ok(0, lag=5 * MS, connect=MS, answer=3 * MS)
    found = {name: values.tolist() for name, values in times_ns(run.run(tmp_path)).items()}
    assert found == {"connect": [MS], "response": [8 * MS], "service": [3 * MS], "lag": [5 * MS]}


def test_without_requests_the_close_ends_it(tmp_path: Path) -> None:
    run = RunBuilder().planned([0], requests=0).ok(0, close=9 * MS, answered_ns=-1)
    assert times_ns(run.run(tmp_path))["service"].tolist() == [9 * MS]


def test_failed_connections_have_no_response_but_their_lateness_counts(tmp_path: Path) -> None:
    run = RunBuilder().planned([0, 0]).ok(0)
    run.failed(1, Call.RECV, Ending.EOF, connected_ns=2 * MS)
    table = latency_table(run.run(tmp_path))
    assert {name: row["count"] for name, row in table.items()} == {
        "connect": 2, "response": 1, "service": 1, "lag": 2,
    }  # fmt: skip


def test_the_warm_up_is_left_out(tmp_path: Path) -> None:
    traffic = [
        {"name": "warm", "for": "1s", "warmup": True, "arrivals": RATE},
        {"name": "work", "for": "1s", "arrivals": RATE},
    ]
    run = RunBuilder(scenario=scenario(traffic=traffic)).planned([0, S], phase=[0, 1])
    run.ok(0, answer=900 * MS, close=S).ok(1, answer=2 * MS)
    assert latency_table(run.run(tmp_path))["response"]["max"] == 2 * MS


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(st.lists(st.tuples(st.integers(0, 30), st.integers(1, 20)), min_size=1, max_size=30))
def test_the_peak_is_what_counting_every_moment_gives(
    tmp_path: Path, lives: list[tuple[int, int]]
) -> None:
    run = RunBuilder().planned([begin for begin, _ in lives])
    for row, (_, life) in enumerate(lives):
        run.ok(row, connect=0, answer=0, close=life)
    moments = range(max(begin + life for begin, life in lives))
    most = max(sum(begin <= t < begin + life for begin, life in lives) for t in moments)
    read = run.run(tmp_path)
    assert peak_concurrent(read) == most
    assert (
        mean_hold_s(read) * 1e9 * len(lives) == sum(life for _, life in lives)
        or abs(mean_hold_s(read) * 1e9 - sum(life for _, life in lives) / len(lives)) < 1e-6
    )


def test_connections_that_never_closed_still_count_at_the_peak(tmp_path: Path) -> None:
    run = RunBuilder().planned([0, S]).ok(0, closed_ns=-1).ok(1, closed_ns=-1).run(tmp_path)
    assert peak_concurrent(run) == 2
    assert mean_hold_s(run) == 0.0


def test_an_empty_run_has_no_latency_and_no_peak(tmp_path: Path) -> None:
    run = RunBuilder().planned([]).run(tmp_path)
    assert peak_concurrent(run) == 0
    assert latency_table(run)["connect"] == {
        "count": 0, "p50": None, "p90": None, "p99": None, "p999": None, "max": None,
    }  # fmt: skip
