"""Forged answers against a forger played out, and the numbers that the RFC gives in words."""

from __future__ import annotations

from math import inf

import pytest

from simulator.seeds import generator
from simulator.theory.forgery import (
    ports_for,
    spoofed_by,
    spoofed_once,
    taken_by_pool,
    time_to_s,
    windows_for,
)

DAY_S = 86_400
#: RFC 5452 section 8: 7,000 forged answers a second in a window of 0.1 s.
PACKETS = 7000 * 0.1


def test_the_numbers_of_the_rfc() -> None:
    # One port, 2.5 servers, one try an hour: about 10 % within a day, one half within a week.
    once = spoofed_once(1, PACKETS)
    assert spoofed_by(once, DAY_S / 3600) == pytest.approx(0.10, abs=0.01)
    assert time_to_s(once, 3600) == pytest.approx(7 * DAY_S, rel=0.05)
    # Windows that follow each other and one server: 7 s for one port, 116 h for 64,000.
    assert time_to_s(spoofed_once(1, PACKETS, servers=1), 0.1) == pytest.approx(7, rel=0.08)
    hours = time_to_s(spoofed_once(64_000, PACKETS, servers=1), 0.1) / 3600
    assert hours == pytest.approx(116, rel=0.01)


def test_one_window_against_a_forger_played_out() -> None:
    stream = generator(9, "forger")
    ports, ids, packets, rounds = 16, 8, 20, 4000
    hits = sum(
        int(stream.integers(ports * ids)) in stream.choice(ports * ids, packets, replace=False)
        for _ in range(rounds)
    )
    once = spoofed_once(ports, packets, servers=1, ids=ids)
    assert once == packets / (ports * ids)
    assert hits / rounds == pytest.approx(once, rel=0.1)


def test_over_time_it_is_one_minus_all_failures() -> None:
    assert spoofed_by(0.5, 3) == pytest.approx(7 / 8)
    assert windows_for(0.5, 7 / 8) == pytest.approx(3)
    assert spoofed_by(windows_for(1e-6) and 1e-6, windows_for(1e-6)) == pytest.approx(0.5)
    assert windows_for(0.0) == inf
    assert windows_for(1.0) == 1.0
    assert windows_for(0.3, 0.0) == 0.0
    assert spoofed_by(1.0, 0) == 0.0
    assert spoofed_by(1.0, 1) == 1.0


def test_the_ports_it_asks_for_are_the_fewest() -> None:
    alone = spoofed_once(1, PACKETS)
    ports = ports_for(alone, 24, 0.001)
    assert spoofed_by(alone / ports, 24) <= 0.001 < spoofed_by(alone / (ports - 1), 24)


def test_what_a_pool_takes_from_others() -> None:
    assert taken_by_pool(2500, 5000 - 1025 + 1) == pytest.approx(0.629, abs=1e-3)
    assert taken_by_pool(2500, 16_384) == pytest.approx(0.153, abs=1e-3)


def test_what_makes_no_sense_is_refused() -> None:
    for call in (
        lambda: spoofed_once(0, 1),
        lambda: spoofed_by(2.0, 1),
        lambda: spoofed_by(0.5, -1),
        lambda: time_to_s(0.5, -1),
        lambda: ports_for(0.5, 0, 0.5),
        lambda: taken_by_pool(2, 1),
    ):
        with pytest.raises(ValueError, match=r"\w"):
            call()
