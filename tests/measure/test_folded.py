"""Counts of a run without rows: they add up or it is our error, and times are told as of rows."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING, Any

import pytest

from simulator.errors import InternalError
from simulator.measure import folded
from simulator.measure.histogram import Histogram
from simulator.measure.summary import summarize
from simulator.records import Call
from tests.support.runs import MS, RunBuilder, S, scenario

if TYPE_CHECKING:
    from pathlib import Path

    from simulator.engine import Run

TWO_PHASES = scenario(
    balancer={"driver": "none", "close": "client"},
    backends={"count": 2},
    traffic=[
        {"name": "warm", "for": "1s", "warmup": True, "arrivals": {"constant": "10/s"}},
        {"name": "full", "for": "1s", "arrivals": {"constant": "20/s"}},
    ],
)
BILLION = 1_000_000_000


def counts(**changes: Any) -> dict[str, Any]:  # noqa: ANN401 - as in a line
    response = {"count": BILLION, "min_ns": MS, "max_ns": MS, "total_ns": MS * BILLION}
    bucket = Histogram.from_dict(
        {"count": 1, "min_ns": 0, "max_ns": 0, "total_ns": 0, "buckets": [[1500, 1]]}
    ).as_dict()["buckets"][0][0]
    return {
        "phases": {
            "sent": [10, BILLION + 30],
            "ok": [10, BILLION],
            "failed": [0, 20],
            "open": [0, 10],
            "busiest_second": [10, BILLION + 30],
        },
        "call": int(Call.CONNECT),
        "error": errno.EADDRNOTAVAIL,
        "first_failed_ns": S,
        "failed_toward": [1],
        "peak_concurrent": 7,
        "open_ns": 2 * MS * (BILLION + 10),
        "distinct_ports": 50,
        "response": {**response, "buckets": [[bucket, BILLION]]},
        "picks": [500_000_020, 500_000_020],
        "every_ns": S,
        "asked": [10, BILLION + 30],
        "opened": [10, BILLION + 10],
        "closed": [10, BILLION],
        "open_at_end": [0, 10],
        **changes,
    }


def run_of(root: Path, **changes: Any) -> Run:  # noqa: ANN401
    made = RunBuilder(scenario=TWO_PHASES)
    made.lines.append(("folded", counts(**changes)))
    return made.run(root)


def test_a_billion_is_summed_up_without_a_row(tmp_path: Path) -> None:
    summary = summarize(run_of(tmp_path))
    attempts = summary["attempts"]
    assert attempts["planned"] == attempts["sent"] == BILLION + 40
    assert attempts["errors"] == {"client-backend/connect/EADDRNOTAVAIL": 20}
    assert summary["rates_per_s"] == {"asked": BILLION + 30, "sent": BILLION + 30, "ok": BILLION}
    assert summary["latency_ns"]["lag"]["count"] == BILLION + 30
    assert summary["latency_ns"]["connect"]["count"] == BILLION + 10
    assert summary["latency_ns"]["response"]["max"] == MS
    assert summary["connections"] == {
        "peak_concurrent": 7, "opened": BILLION + 20, "closed": BILLION + 10
    }  # fmt: skip
    assert summary["backends"]["jain"] == 1
    assert summary["hops"][0]["exhausted_at_s"] == 1
    assert summary["hops"][0]["distinct_ports"] == 50
    assert summary["verdict"]["code"] == "client-source-ports"


def test_times_open_are_those_of_what_was_closed(tmp_path: Path) -> None:
    assert folded.mean_open_s(run_of(tmp_path)) == 0.002


@pytest.mark.parametrize(
    "changes", [{"asked": [10, BILLION]}, {"phases": counts()["phases"] | {"ok": [9, BILLION]}}]
)
def test_counts_that_do_not_add_up_are_our_error(changes: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(InternalError, match="do not add up"):
        folded.attempts_of(run_of(tmp_path, **changes))


def test_a_run_with_rows_has_no_such_counts(tmp_path: Path) -> None:
    with pytest.raises(InternalError, match="rows"):
        folded.counts_of(RunBuilder(scenario=TWO_PHASES).run(tmp_path))
