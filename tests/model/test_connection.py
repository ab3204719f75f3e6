"""A connection begins as one that waits for its first answer, and knows nobody yet."""

from __future__ import annotations

from simulator.model.connection import GONE, HALF_CLOSED, LEAVING, RESTING, WAITING, Connection
from simulator.model.tuples import EachOnce, Group


def test_a_new_connection_waits_and_has_no_backend() -> None:
    group = Group(0, 0, EachOnce([50_000]), 0)
    connection = Connection(7, 1, group, 50_000, 123)
    assert (connection.row, connection.worker, connection.port) == (7, 1, 50_000)
    assert connection.state == WAITING
    assert connection.active_ns == 123
    assert connection.server is None
    assert connection.upstream is None


def test_states_can_be_told_apart() -> None:
    assert len({WAITING, RESTING, LEAVING, HALF_CLOSED, GONE}) == 5
