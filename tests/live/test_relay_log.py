"""Rows come out in the column order of the records, once, with late results in their own row."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING

import numpy as np
import pytest

from simulator.live.kernel_dialer import KernelDialer
from simulator.live.relay_log import RelayLog, RelaySettings
from simulator.records import DIAL_COLUMNS, REFUSAL_COLUMNS, Call, Ending, Hop

if TYPE_CHECKING:
    from collections.abc import Mapping


def rows(data: bytes, columns: Mapping[str, str]) -> list[dict[str, int]]:
    """Packed rows by name; every column is an int64."""
    assert set(columns.values()) == {"<i8"}
    table = np.frombuffer(data, "<i8").reshape(-1, len(columns))
    return [dict(zip(columns, row.tolist(), strict=True)) for row in table]


def dialer_that_just(**what: int) -> KernelDialer:
    """A dialer whose last attempt went like this."""
    dialer = KernelDialer("kernel", ())
    for name, value in what.items():
        setattr(dialer, f"last_{name}", value)
    return dialer


def test_a_dial_is_one_row_and_taken_once() -> None:
    log = RelayLog()
    dialer = dialer_that_just(
        end_ns=5_000, call_ns=30, source=2, port=50_000, error=0, call=Call.CONNECT
    )
    log.dialed(dialer, 1_000, 7)
    assert rows(log.take_dials(), DIAL_COLUMNS) == [
        {
            "t_ns": 4_000,
            "call_ns": 30,
            "backend": 7,
            "source": 2,
            "port": 50_000,
            "error": 0,
            "call": Call.CONNECT,
        }
    ]
    assert log.take_dials() == b""
    assert not log.dial_errors


def test_a_connect_on_its_way_has_its_row_when_it_has_its_result() -> None:
    log = RelayLog()
    dialer = dialer_that_just(end_ns=5_000, call_ns=30, source=1, port=50_001)
    log.begun(dialer, 1_000, 12)
    assert log.take_dials() == b""
    dialer.last_end_ns = 9_999  # another dial in between
    log.ended(12, 3, Call.CONNECT, errno.ECONNREFUSED)
    (row,) = rows(log.take_dials(), DIAL_COLUMNS)
    assert (row["t_ns"], row["backend"], row["source"]) == (4_000, 3, 1)
    assert (row["call"], row["error"]) == (Call.CONNECT, errno.ECONNREFUSED)
    assert log.dial_errors == {(Call.CONNECT, errno.ECONNREFUSED): 1}


def test_a_refusal_carries_the_tuple_that_joins_it_to_the_client() -> None:
    log = RelayLog()
    failure = (Call.PICK, Ending.NO_BACKEND, Hop.BALANCER_BACKEND, -1)
    log.refused((900, 400), ("127.1.0.9", 54_321), failure)
    assert rows(log.take_refusals(), REFUSAL_COLUMNS) == [
        {
            "t_ns": 900,
            "accepted_ns": 400,
            "peer_address": 0x7F010009,
            "peer_port": 54_321,
            "call": Call.PICK,
            "error": Ending.NO_BACKEND,
            "hop": Hop.BALANCER_BACKEND,
            "backend": -1,
        }
    ]
    assert log.take_refusals() == b""


@pytest.mark.parametrize("field", ["connect_timeout_ns", "idle_timeout_ns", "buffer_bytes"])
def test_settings_without_time_or_room_cannot_be_made(field: str) -> None:
    with pytest.raises(ValueError, match="above zero"):
        RelaySettings(**{field: 0})  # type: ignore[arg-type] # none of these is a bool
