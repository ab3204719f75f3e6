"""The bytes of a request and an answer, as written in the format's own comments."""

from __future__ import annotations

import struct

from hypothesis import given
from hypothesis import strategies as st

from simulator.live.wire import (
    ANSWER,
    ANSWER_MAGIC,
    FLAG_CLOSE,
    MAX_BODY_BYTES,
    REQUEST,
    REQUEST_MAGIC,
    request_head,
)
from simulator.records import PLAN_COLUMNS, SERVICE_COLUMNS
from simulator.scenario.phases import Phase


@given(
    body=st.integers(0, MAX_BODY_BYTES),
    answer=st.integers(0, MAX_BODY_BYTES),
    service_ns=st.integers(0, 2**63 - 1),
    close=st.booleans(),
)
def test_a_request_head_is_magic_sizes_flags_and_time(
    body: int, answer: int, service_ns: int, *, close: bool
) -> None:
    head = request_head(body, answer, service_ns, close=close)
    assert head[:4] == b"PCQ1"
    assert struct.unpack("<IIIQ", head[4:]) == (body, answer, int(close), service_ns)
    assert REQUEST.unpack(head) == (REQUEST_MAGIC, body, answer, FLAG_CLOSE * close, service_ns)


def test_an_answer_head_is_magic_backend_and_size() -> None:
    assert ANSWER.pack(ANSWER_MAGIC, 3, 5) == b"PCA1" + struct.pack("<II", 3, 5)


def test_whatever_a_plan_may_hold_fits_into_a_request() -> None:
    for name in ("request_size", "response_size"):
        bounds = [one.le for one in Phase.model_fields[name].metadata if hasattr(one, "le")]
        assert min(bounds) <= MAX_BODY_BYTES, name
    assert PLAN_COLUMNS["request_bytes"] == PLAN_COLUMNS["response_bytes"] == "<i4"
    assert SERVICE_COLUMNS["service_ns"] == "<i8"
