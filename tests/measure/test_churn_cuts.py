"""What moves of backends cost: cuts by their moment, refusals by their backend, nothing else."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING

import pytest

from simulator.measure.attribution import find_causes
from simulator.measure.churn_cuts import ChurnCuts, churn_cuts
from simulator.measure.summary import summarize
from simulator.records import Call, Ending
from tests.support.runs import MS, RunBuilder, S, scenario

if TYPE_CHECKING:
    from pathlib import Path

TEN_S = [{"name": "a", "for": "10s", "arrivals": {"constant": "10/s"}}]
CUT = "client-balancer/recv/ECONNRESET"
REFUSED = "balancer-backend/connect/ECONNREFUSED"


def run() -> RunBuilder:
    """A hundred connections in ten seconds, which live for 50 ms; all ok until set otherwise."""
    made = RunBuilder(scenario=scenario(traffic=TEN_S, backends={"count": 2})).started()
    made.planned([i * 100 * MS for i in range(100)])
    for row in range(100):
        made.ok(row)
    return made


def found(made: RunBuilder, root: Path) -> ChurnCuts | None:
    read = made.run(root)
    return churn_cuts(read, find_causes(read))


@pytest.mark.parametrize("error", [errno.ECONNRESET, errno.EPIPE, Ending.EOF])
def test_what_ends_as_a_backend_leaves_was_cut_by_it(tmp_path: Path, error: int) -> None:
    made = run().failed(20, Call.RECV, error, after=30 * MS)  # ends at 2.030 s
    told = found(made.event("backend-left", 2020 * MS, backend=0, how="crash"), tmp_path)
    assert told is not None
    assert (told.cut, told.refused, told.moments) == (1, 0, 1)


def test_a_hanging_backend_cuts_when_it_is_back(tmp_path: Path) -> None:
    made = run().failed(20, Call.RECV, errno.ECONNRESET, after=900 * MS)
    made.event("backend-left", 2 * S, backend=0, how="hang")
    told = found(made.event("backend-back", 2890 * MS, backend=0), tmp_path)
    assert told is not None
    assert told.errors == {CUT: 1}


@pytest.mark.parametrize("ends", [1900 * MS, 2200 * MS])
def test_before_and_long_after_is_another_cause(tmp_path: Path, ends: int) -> None:
    made = run().failed(15, Call.RECV, errno.ECONNRESET, after=ends - 1500 * MS)
    assert found(made.event("backend-left", 2020 * MS, backend=0), tmp_path) is None


def test_silence_is_no_cut(tmp_path: Path) -> None:
    made = run().failed(20, Call.RECV, Ending.TIMEOUT, after=20 * MS)
    assert found(made.event("backend-left", 2 * S, backend=0), tmp_path) is None


def test_what_coincides_by_chance_is_not_laid_to_moves(tmp_path: Path) -> None:
    """Every connection is reset, and a tenth of them happen to end near one of many moves."""
    made = run()
    for row in range(100):
        made.failed(row, Call.RECV, errno.ECONNRESET, after=MS)
    for number in range(20):
        made.event("backend-left", number * 500 * MS, backend=0)
    assert found(made, tmp_path) is None


def refused(row: int, backend: int) -> RunBuilder:
    made = run().failed(row, Call.RECV, Ending.EOF)
    made.refusal(row, Call.CONNECT, errno.ECONNREFUSED, backend=backend)
    made.event("backend-left", 2 * S, backend=0, how="crash")
    return made.event("backend-back", 3 * S, backend=0)


@pytest.mark.parametrize(
    ("row", "backend", "laid"),
    [
        (25, 0, True),  # away
        (31, 0, True),  # back, but whoever picks is told 100 ms later
        (25, 1, False),  # the other one
        (35, 0, False),
        (10, 0, False),
    ],
)
def test_a_refusal_is_laid_to_the_backend_that_was_away(
    tmp_path: Path, row: int, backend: int, *, laid: bool
) -> None:
    told = found(refused(row, backend), tmp_path)
    assert (told is not None) is laid
    if told is not None:
        assert told.errors == {REFUSED: 1}


def test_one_that_never_came_back_was_away_to_the_end(tmp_path: Path) -> None:
    made = refused(90, 0)
    made.lines = [line for line in made.lines if line[1].get("event") != "backend-back"]
    assert found(made, tmp_path) is not None


def test_the_verdict_names_both_and_keeps_the_rest(tmp_path: Path) -> None:
    made = refused(25, 0).failed(20, Call.RECV, errno.ECONNRESET, after=20 * MS)
    made.failed(60, Call.RECV, Ending.PROTOCOL)
    verdict = summarize(made.run(tmp_path))["verdict"]
    assert verdict["code"] == "backend-churn"
    assert verdict["sentence"] == (
        "Backends that moved took connections with them: 1 connections were cut as a backend left "
        "or came back and 1 found nobody where a backend had been (who picks is told after "
        "100ms), in 2 departures and returns; 2.0 % of connections failed (ECONNREFUSED, "
        "ECONNRESET)."
    )
    # 10/s over 2 backends for 100 ms
    assert "0.5 connects go to an old endpoint" in verdict["remedies"][1]


def test_without_moves_there_is_nothing_to_lay_to_them(tmp_path: Path) -> None:
    assert found(run().failed(20, Call.RECV, errno.ECONNRESET), tmp_path) is None
