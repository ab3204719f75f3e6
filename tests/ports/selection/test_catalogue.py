"""What all algorithms promise: no port in use, none outside the range, the last one where they say.

The occupancy is the caller's; lists and blocks keep books of their own beside it, so each property
is also played with connections that begin and end.
"""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.ports.range import PortRange
from simulator.ports.selection.catalogue import ALGORITHMS, NAMES, Algorithm, algorithm
from simulator.ports.selection.selector import NO_PORT, Asked, Pick
from simulator.seeds import pure_random

every_algorithm = pytest.mark.parametrize("one", ALGORITHMS, ids=lambda one: one.name)
sizes = st.integers(1, 300)


def port_range(first: int, size: int) -> PortRange:
    return PortRange(first, first + size - 1)


@every_algorithm
@given(
    first=st.integers(1, 60_000),
    size=sizes,
    seed=st.integers(0, 1000),
    busy=st.sets(st.integers(0, 299)),
    wanted=st.integers(0, 400),
)
@settings(max_examples=20)
def test_no_port_in_use_or_outside_the_range_is_handed_out(
    one: Algorithm, first: int, size: int, seed: int, busy: set[int], wanted: int
) -> None:
    ports = port_range(first, size)
    made = one.make(ports, seed)
    in_use = {first + place for place in busy}
    for turn in range(20):
        asked = Asked(f"server {turn % 3}", at_s=turn * 3.0, wanted=first + wanted)
        port, probes = made.pick(asked, in_use)
        if port != NO_PORT:
            assert port in ports
            assert port not in in_use
            assert probes >= 1
            in_use.add(port)


@every_algorithm
@given(seed=st.integers(0, 1000), choices=st.lists(st.integers(0, 40), max_size=120))
@settings(max_examples=15)
def test_ports_that_come_back_can_be_had_again_and_none_is_out_twice(
    one: Algorithm, seed: int, choices: list[int]
) -> None:
    ports = port_range(40_000, 16)
    made = one.make(ports, seed)
    out: dict[int, Asked] = {}
    for turn, choice in enumerate(choices):
        if choice < len(out):
            port = sorted(out)[choice]
            made.give_back(out.pop(port)._replace(at_s=turn / 4), port)
            continue
        asked = Asked("server", at_s=turn / 4, wanted=40_000 + choice)
        port, _ = made.pick(asked, out)
        if port == NO_PORT:
            assert len(out) == 16 or not one.finds_last
        else:
            assert port not in out
            out[port] = asked


@every_algorithm
@given(half=st.integers(1, 100), place=st.integers(0, 199), seed=st.integers(0, 1000))
@settings(max_examples=20)
def test_those_that_say_so_find_the_last_free_port(
    one: Algorithm, half: int, place: int, seed: int
) -> None:
    # An even size: of an odd one Linux may pass over one port, as its own tests show.
    ports = port_range(50_000, 2 * half)
    free = 50_000 + place % len(ports)
    in_use = set(range(50_000, 50_000 + 2 * half)) - {free}
    port, probes = one.make(ports, seed).pick(Asked("server"), in_use)
    if one.finds_last:
        assert port == free
        assert probes <= len(ports)
    else:
        assert port in (free, NO_PORT)


@every_algorithm
def test_a_full_range_is_told_within_bounds(one: Algorithm) -> None:
    ports = port_range(50_000, 400)
    in_use = set(range(50_000, 50_400))
    for turn in range(3):
        pick = one.make(ports, turn).pick(Asked("server", wanted=50_007), in_use)
        assert pick.port == NO_PORT
        assert pick.probes <= len(ports)


@every_algorithm
def test_the_same_seed_picks_the_same_ports_and_another_one_others(one: Algorithm) -> None:
    def picks(seed: int) -> list[Pick]:
        made = one.make(port_range(40_000, 1000), seed)
        in_use: set[int] = set()
        found = []
        wanted = pure_random(seed, "wanted")
        for turn in range(60):
            asked = Asked(turn % 4, at_s=turn / 2, wanted=wanted.randrange(40_000, 41_000))
            found.append(made.pick(asked, in_use))
            in_use.add(found[-1].port)
        return found

    assert picks(5) == picks(5)
    drawn = one.state != "last port" or one.name == "random-increments"
    fixed = {"haproxy", "blocks"}
    assert (picks(5) == picks(6)) is (not drawn or one.name in fixed)


def test_names_are_unique_and_an_unknown_one_is_answered_with_all() -> None:
    assert len(set(NAMES)) == len(NAMES)
    assert algorithm("haproxy").name == "haproxy"
    with pytest.raises(ValueError, match="linux-connect, linux-socket-range"):
        algorithm("windows")


@every_algorithm
def test_every_algorithm_says_what_it_keeps_costs_and_where_it_is_told(one: Algorithm) -> None:
    assert all((one.used_by, one.state, one.cost, one.source))
