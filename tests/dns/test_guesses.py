"""The forger's walk: every combination once before any comes twice, so F guesses are F chances."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.dns.guesses import Guesses
from simulator.seeds import pure_random
from simulator.theory.forgery import spoofed_once

SIZE = st.integers(1, 12)


@given(SIZE, SIZE, SIZE, st.integers(0, 1 << 32))
def test_it_meets_all_before_it_returns(servers: int, ports: int, idents: int, seed: int) -> None:
    walk = Guesses(servers, ports, idents, pure_random(seed, "guesses"))
    total = walk.combinations
    assert total == servers * ports * idents
    first = [walk.draw() for _ in range(total)]
    assert len(set(first)) == total
    assert {one.server for one in first} == set(range(servers))
    assert {one.port for one in first} == set(range(ports))
    assert {one.ident for one in first} == set(range(idents))
    assert [walk.draw() for _ in range(total)] == first


@given(SIZE, SIZE, SIZE, st.integers(1, 2000), st.integers(0, 1 << 32))
def test_a_window_is_hit_as_often_as_the_formula_says(
    servers: int, ports: int, idents: int, packets: int, seed: int
) -> None:
    """Exactly: of all questions that there can be, so many are among the window's guesses."""
    walk = Guesses(servers, ports, idents, pure_random(seed, "guesses"))
    hit = {walk.draw() for _ in range(packets)}
    expected = spoofed_once(ports, packets, servers=servers, ids=idents)
    assert len(hit) / walk.combinations == pytest.approx(expected)


def test_nothing_to_guess_among_is_refused() -> None:
    for parts in ((0, 1, 1), (1, 0, 1), (1, 1, 0)):
        with pytest.raises(ValueError, match="at least 1"):
            Guesses(*parts, pure_random(1, "guesses"))
