"""Dials against leases: the own port, nobody's, or another backend's; by every picker's view."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING

from simulator.measure.moves import dials_of, moves_table
from simulator.records import Call
from tests.support.runs import MS, RunBuilder, S, scenario

if TYPE_CHECKING:
    from pathlib import Path

HERE = "127.4.0.1"


def builder() -> RunBuilder:
    """Backend 0 leaves port 5000 at 1 s, backend 1 takes it at 2 s, all is told at 3 s."""
    run = RunBuilder(scenario=scenario(backends={"count": 2})).planned([])
    run.lease(0, 5000, -S, 1 * S).lease(1, 5001, -S, 1 * S)
    run.lease(1, 5000, 2 * S).lease(0, 5002, 2 * S)
    return run


def told(run: RunBuilder, t_ns: int, index: int = 0) -> None:
    for backend, port in ((0, 5002), (1, 5000)):
        insert = [[backend, HERE, port]]
        run.event("membership", t_ns, role="balancer", index=index, insert=insert, remove=[])


def test_a_dial_to_an_old_endpoint_reaches_its_new_owner(tmp_path: Path) -> None:
    run = builder()
    told(run, 3 * S)
    run.dial(S // 2, backend=0)  # its own port
    run.dial(3 * S // 2, backend=0, error=errno.ECONNREFUSED)  # nobody's
    run.dial(5 * S // 2, backend=0).dial(5 * S // 2 + 1, backend=0)  # backend 1's
    run.dial(5 * S // 2, backend=1, error=errno.ECONNREFUSED)  # 5001 is nobody's
    run.dial(7 * S // 2, backend=0).dial(7 * S // 2, backend=1)  # told by now
    table = moves_table(run.run(tmp_path))
    assert table["misdelivered"] == 2
    assert table["refused_after_move"] == 2
    assert table["overlaps"] == 0


def test_to_be_refused_by_the_own_port_is_no_cost_of_moving(tmp_path: Path) -> None:
    run = builder()
    run.dial(S // 2, backend=0, error=errno.ECONNREFUSED)
    assert moves_table(run.run(tmp_path))["refused_after_move"] == 0


def test_between_two_workers_that_learn_a_dial_counts_only_by_both_views(tmp_path: Path) -> None:
    run = builder()
    told(run, 3 * S, index=0)
    told(run, 4 * S, index=1)
    run.dial(5 * S // 2, backend=0)  # neither knew: astray by both views
    run.dial(7 * S // 2, backend=0)  # one of them knew, and a dial does not say whose it is
    run.dial(9 * S // 2, backend=0)
    assert moves_table(run.run(tmp_path))["misdelivered"] == 1


def test_what_was_open_is_counted_by_how_its_backend_left(tmp_path: Path) -> None:
    run = RunBuilder().planned([])
    for how, count in (("drain", 3), ("drain", 4), ("crash", 5), ("hang", 6)):
        run.event("backend-left", S, backend=0, address=HERE, port=1, how=how, open=count)
    run.event("backend-back", S, backend=0, address=HERE, port=2)
    run.event("backend-waits", S, backend=0)
    table = moves_table(run.run(tmp_path))
    assert (table["left"], table["back"], table["waits"]) == (4, 1, 1)
    assert (table["drained"], table["cut"], table["hung"]) == (7, 5, 6)


def test_without_a_balancer_the_clients_dials_are_held_against_the_leases(tmp_path: Path) -> None:
    made = scenario(backends={"count": 2}, balancer={"driver": "none"})
    run = builder()
    run.scenario = made
    run.planned([5 * S // 2, 5 * S // 2 + MS, 5 * S // 2 + 2 * MS])
    run.ok(0, backend=0)
    run.failed(1, Call.CONNECT, errno.ECONNREFUSED, backend=1)
    read = run.run(tmp_path)
    assert dials_of(read).error.tolist() == [0, errno.ECONNREFUSED]
    table = moves_table(read)
    assert (table["misdelivered"], table["refused_after_move"]) == (1, 1)


def test_two_backends_on_one_port_at_a_time_are_an_overlap(tmp_path: Path) -> None:
    run = RunBuilder(scenario=scenario(backends={"count": 2})).planned([])
    run.lease(0, 5000, -S).lease(1, 5000, S)
    assert moves_table(run.run(tmp_path))["overlaps"] == 1


def test_a_run_without_moves_says_nought(tmp_path: Path) -> None:
    table = moves_table(RunBuilder().planned([]).run(tmp_path))
    assert set(table.values()) == {0}
