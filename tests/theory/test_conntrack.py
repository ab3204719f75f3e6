"""Ceilings of a NAT against the arithmetic of Linux's defaults."""

from __future__ import annotations

import pytest

from simulator.theory.conntrack import TIME_WAIT_S, entries_in_use, nat_ceiling


def test_linux_defaults() -> None:
    # 262,144 entries / 120 s = 2,184/s whatever the destinations; 64,512 ports / 120 s = 537.6/s.
    one = nat_ceiling(262_144, 64_512, 0.0)
    assert one.table_per_s == pytest.approx(2184.5, abs=0.1)
    assert one.by == "tuples"
    assert one.per_s == pytest.approx(537.6)
    many = nat_ceiling(262_144, 64_512 * 10, 0.0)
    assert many.by == "table"
    assert many.per_s == pytest.approx(2184.5, abs=0.1)


def test_the_ceiling_fills_the_table() -> None:
    found = nat_ceiling(1000, 10**6, 2.0, 8.0)
    assert entries_in_use(found.per_s, 2.0, 8.0) == pytest.approx(1000)
    assert entries_in_use(1.0, 0.0) == TIME_WAIT_S


def test_ports_may_come_back_sooner_than_entries() -> None:
    assert nat_ceiling(1000, 100, 0.0, 10.0, blocked_s=1.0).per_s == 100
    with pytest.raises(ValueError, match="negative"):
        nat_ceiling(-1, 1, 0.0)
