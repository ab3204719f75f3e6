"""Ports as people type them, and what they are told when these are none."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.ports.number_list import parse_ports
from simulator.ports.registry import registry

KNOWN = registry()


@given(
    spans=st.lists(
        st.tuples(st.integers(0, 65_535), st.integers(0, 40)).map(
            lambda pair: (pair[0], min(65_535, pair[0] + pair[1]))
        ),
        min_size=1,
        max_size=5,
    )
)
def test_a_list_is_all_its_ports_once_each(spans: list[tuple[int, int]]) -> None:
    text = ", ".join(f"{a}-{b}" if a < b else str(a) for a, b in spans)
    found = parse_ports(text, KNOWN)
    assert set(found) == {port for a, b in spans for port in range(a, b + 1)}
    assert len(set(found)) == len(found)
    assert found[0] == spans[0][0]


def test_a_service_stands_for_its_port() -> None:
    assert parse_ports("https,ssh", KNOWN) == (443, 22)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("70000", "70000 is not a port: ports are 16 bits wide"),
        ("-1", "'-1' is not a port; write a number"),
        ("abc", "'abc' is neither a port nor a registered service"),
        ("htpps", "did you mean https"),
        ("", "'' is not a port"),
        ("80,,81", "'' is not a port"),
        ("81-80", "wrong way round; write 80-81"),
        ("80-99999", "99999 is not a port"),
        ("8 0", "'8 0' is not a port"),
        ("٣", "is not a port"),
        ("9" * 5_000, "is not"),
    ],
)
def test_what_is_no_port_is_told_in_one_line(text: str, told: str) -> None:
    with pytest.raises(ValueError, match=r"^[^\n]+$") as caught:
        parse_ports(text, KNOWN)
    assert told in str(caught.value)
