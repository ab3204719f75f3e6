"""The words of the grammar: what is written reads back, what is held writes back."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from simulator.scenario.fields import (
    MAX_DURATION_NS,
    RATE_JSON,
    SIZE_JSON,
    TIME_JSON,
    RatePerS,
    ReservedPorts,
    SizeBytes,
    TimeNs,
    about,
    rate_text,
    size_text,
    time_text,
)

TIMES = TypeAdapter[int](TimeNs)
RATES = TypeAdapter[float](RatePerS)
SIZES = TypeAdapter[int](SizeBytes)


@given(st.integers(0, MAX_DURATION_NS))
def test_times_write_and_read_back_exactly(value_ns: int) -> None:
    text = time_text(value_ns)
    assert TIMES.validate_python(text) == value_ns
    assert re.search(TIME_JSON, text)


@given(st.integers(0, 1 << 30))
def test_sizes_write_and_read_back_exactly(value_bytes: int) -> None:
    text = size_text(value_bytes)
    assert SIZES.validate_python(text) == value_bytes
    assert re.search(SIZE_JSON, text)


@given(st.integers(1, 1_000_000_000_000_000).map(lambda billionths: billionths / 1e9))
def test_rates_write_and_read_back_exactly(value_per_s: float) -> None:
    text = rate_text(value_per_s)
    assert RATES.validate_python(text) == value_per_s
    assert re.search(RATE_JSON, text)


@pytest.mark.parametrize("adapter", [TIMES, RATES, SIZES], ids=["time", "rate", "size"])
@pytest.mark.parametrize("value", [5, 5.0, True, None, [], "5", "", "1e3s", "-1s", "inf"])
def test_a_number_without_its_unit_is_refused(adapter: TypeAdapter[float], value: object) -> None:
    with pytest.raises(ValidationError):
        adapter.validate_python(value)


@given(st.integers(-10, 70_000))
def test_one_reserved_port_is_a_range_of_one(port: int) -> None:
    adapter = TypeAdapter[object](ReservedPorts)
    if not 1 <= port <= 65535:
        with pytest.raises(ValidationError):
            adapter.validate_python(port)
        return
    assert str(adapter.validate_python(port)) == f"{port}-{port}"
    assert adapter.validate_python(str(port)) == adapter.validate_python(port)


def test_an_error_about_keys_keeps_their_paths_apart() -> None:
    error = about("a.b", "is wrong", (("net.ipv4.x",), "is wrong too"))
    assert error.context is not None
    assert error.context["pairs"] == [
        (("a", "b"), "is wrong"),
        (("net.ipv4.x",), "is wrong too"),
    ]
