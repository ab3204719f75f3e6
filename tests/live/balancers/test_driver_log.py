"""Rows from a foreign balancer's log: what was failed and refused, and lines from pieces."""

from __future__ import annotations

import errno
import itertools

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from simulator.live.balancers.driver_log import DriverLog, FailedDial, Lines, Unserved
from simulator.records import DIAL_COLUMNS, REFUSAL_COLUMNS, Call, Hop

DIAL = FailedDial(call=Call.CONNECT, error=errno.EADDRNOTAVAIL, backend=3)


def test_a_refusal_names_its_client_and_what_failed() -> None:
    log = DriverLog()
    now = 3_000_009_000
    log.unserved(now, Unserved(address="127.1.0.2", port=4_001, took_ns=2_000, dial=DIAL))
    row = np.frombuffer(log.take_refusals(), dtype="<i8")
    assert dict(zip(REFUSAL_COLUMNS, row.tolist(), strict=True)) == {
        "t_ns": now,
        "accepted_ns": 2_000_007_000,  # a second earlier: its line may have been read late
        "peer_address": (127 << 24) + (1 << 16) + 2,
        "peer_port": 4_001,
        "call": Call.CONNECT,
        "error": errno.EADDRNOTAVAIL,
        "hop": Hop.BALANCER_BACKEND,
        "backend": 3,
    }
    assert log.refused == 1
    assert log.take_refusals() == b""


def test_a_failed_dial_is_counted_and_written_once() -> None:
    log = DriverLog()
    log.failed(5_000, DIAL)
    row = np.frombuffer(log.take_dials(), dtype="<i8")
    told = dict(zip(DIAL_COLUMNS, row.tolist(), strict=True))
    assert (told["t_ns"], told["backend"], told["error"]) == (5_000, 3, errno.EADDRNOTAVAIL)
    assert log.errors_by_name() == {"connect/EADDRNOTAVAIL": 1}
    assert log.take_dials() == b""


@given(st.lists(st.text(st.characters(codec="ascii", exclude_characters="\n"))), st.data())
def test_lines_come_out_whole_however_they_are_cut(lines: list[str], data: st.DataObject) -> None:
    text = "".join(f"{line}\n" for line in lines).encode()
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=5)))
    edges = [0, *cuts, len(text)]
    reader = Lines()
    found = [line for a, b in itertools.pairwise(edges) for line in reader.feed(text[a:b])]
    assert found == lines
