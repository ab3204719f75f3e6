"""Connections that waited in vain: slow backends, idle cuts, and what only looks like them."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING

import pytest

from simulator.measure.attribution import find_causes
from simulator.measure.waiting import (
    IdleCuts,
    Unanswered,
    idle_cuts,
    request_gap_ns,
    unanswered,
)
from simulator.records import Call, Ending
from tests.support.runs import MS, RunBuilder, S, scenario

if TYPE_CHECKING:
    from pathlib import Path

TIMEOUT = "client-balancer/recv/TIMEOUT"
KEPT = scenario(balancer={"idle_timeout": "500ms"})


def silent(*, dials: int, accepted: int, driver: str = "own") -> RunBuilder:
    """Ten clients; the last four connected and got no answer."""
    run = RunBuilder(scenario=scenario(balancer={"driver": driver})).started()
    run.planned([i * MS for i in range(10)])
    for row in range(6):
        run.ok(row)
    for row in range(6, 10):
        run.failed(row, Call.RECV, Ending.TIMEOUT, connected_ns=row * MS + 1)
    for row in range(dials):
        run.dial(row * MS)
    return run.tick(2 * S, "backend", accepted=accepted)


def found(run: RunBuilder, root: Path) -> Unanswered | None:
    read = run.run(root)
    return unanswered(read, find_causes(read))


def test_backends_that_accepted_all_and_answered_few_are_slow_in_service(tmp_path: Path) -> None:
    told = found(silent(dials=10, accepted=10), tmp_path)
    assert told == Unanswered(errors={TIMEOUT: 4}, reached=10, accepted=10)
    assert told is not None
    assert not told.queued


def test_backends_that_did_not_accept_are_slow_in_their_queue(tmp_path: Path) -> None:
    told = found(silent(dials=10, accepted=6), tmp_path)
    assert told is not None
    assert told.queued


def test_several_processes_accept_together(tmp_path: Path) -> None:
    run = silent(dials=10, accepted=6).tick(2 * S, "backend", 1, accepted=4)
    told = found(run, tmp_path)
    assert told is not None
    assert (told.accepted, told.queued) == (10, False)


def test_what_came_after_the_last_word_of_the_backends_is_no_queue(tmp_path: Path) -> None:
    run = silent(dials=10, accepted=6)
    run.lines[-1][1]["t_ns"] = 5 * MS  # six dials had been made by then
    told = found(run, tmp_path)
    assert told is not None
    assert (told.reached, told.accepted, told.queued) == (6, 6, False)


def test_a_balancer_that_did_not_connect_its_clients_is_no_slow_backend(tmp_path: Path) -> None:
    assert found(silent(dials=6, accepted=6), tmp_path) is None


def test_without_a_balancer_the_clients_handshake_is_the_backends(tmp_path: Path) -> None:
    told = found(silent(dials=0, accepted=10, driver="none"), tmp_path)
    assert told is not None
    assert told.errors == {"client-backend/recv/TIMEOUT": 4}
    assert told.reached == 10


def test_no_timeout_is_nothing_to_explain(tmp_path: Path) -> None:
    assert found(RunBuilder().planned([0]).ok(0), tmp_path) is None


def cut_run(
    rest: int, *, error: int = Ending.EOF, answers: int = 1, idle_closed: int = 1
) -> RunBuilder:
    """One connection of two requests that ends so long after its first answer."""
    run = RunBuilder(scenario=KEPT).started().planned([0], requests=2, lifetime_ns=2 * S)
    columns = {"connected_ns": 1, "answered_ns": 10 * MS, "answers": answers}
    run.failed(0, Call.RECV, error, after=10 * MS + rest, **columns)
    return run.tick(S, "balancer", idle_closed=idle_closed)


def cuts(run: RunBuilder, root: Path) -> IdleCuts | None:
    read = run.run(root)
    return idle_cuts(read, find_causes(read))


@pytest.mark.parametrize("error", [Ending.EOF, errno.ECONNRESET, errno.EPIPE])
def test_a_connection_cut_after_a_rest_met_the_idle_timeout(tmp_path: Path, error: int) -> None:
    told = cuts(cut_run(505 * MS, error=error), tmp_path)
    assert told is not None
    assert sum(told.errors.values()) == 1
    assert (told.limit_ns, told.rest_ns) == (500 * MS, 505 * MS)
    assert told.key == "balancer.idle_timeout"


@pytest.mark.parametrize(
    "run",
    [
        cut_run(100 * MS),  # cut long before
        cut_run(505 * MS, answers=0),  # was waiting for its first answer
        cut_run(505 * MS, answers=2),  # had all its answers
        cut_run(505 * MS, idle_closed=0),  # the balancer knows nothing of it
        cut_run(505 * MS, error=Ending.TIMEOUT),
    ],
    ids=["too-soon", "never-answered", "all-answered", "not-recorded", "timeout"],
)
def test_other_ends_are_no_idle_cuts(tmp_path: Path, run: RunBuilder) -> None:
    assert cuts(run, tmp_path) is None


def test_the_gap_is_that_of_connections_with_several_requests(tmp_path: Path) -> None:
    assert request_gap_ns(cut_run(S).run(tmp_path)) == S
    assert request_gap_ns(RunBuilder().planned([0]).ok(0).run(tmp_path / "b")) == 0
