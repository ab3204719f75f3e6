"""How likely a port is in use: Little's law, its cap, and Linux's parity."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.theory.port_use import port_use


def test_by_hand() -> None:
    use = port_use(ports=28_232, rate_per_s=100, open_s=0, blocked_s=60)
    assert use.wanted == 6_000
    assert use.any_port == pytest.approx(6_000 / 28_232)
    assert use.first_parity == pytest.approx(6_000 / 14_116)
    assert use.other_parity == 0
    assert use.ceiling_per_s == pytest.approx(470.5, abs=0.1)


@given(
    ports=st.integers(1, 64_512),
    rate=st.floats(0, 1e5),
    open_s=st.floats(0, 1e3),
    blocked_s=st.floats(0, 240),
)
def test_chances_are_chances_and_add_up_to_the_ports_in_use(
    ports: int, rate: float, open_s: float, blocked_s: float
) -> None:
    use = port_use(ports=ports, rate_per_s=rate, open_s=open_s, blocked_s=blocked_s)
    assert all(0 <= chance <= 1 for chance in (use.any_port, use.first_parity, use.other_parity))
    first = (ports + 1) // 2
    busy = use.first_parity * first + use.other_parity * (ports - first)
    assert busy == pytest.approx(min(use.wanted, ports))
    assert use.other_parity == 0 or use.first_parity == 1


def test_no_port_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one"):
        port_use(ports=0, rate_per_s=1, open_s=1, blocked_s=1)
