"""Blocks: neighbours for one owner, lent when needed and taken back when idle."""

from __future__ import annotations

from simulator.ports.range import PortRange
from simulator.ports.selection.blocks import BLOCK, Blocks
from simulator.ports.selection.selector import NO_PORT, Asked

PORTS = PortRange(1_024, 1_087)  # eight blocks of eight
FIRST, SECOND = Asked("server", owner=1), Asked("server", owner=2)


def hold(made: Blocks, asked: Asked, in_use: set[int], count: int) -> list[int]:
    found = [made.pick(asked, in_use).port for _ in range(1)]
    in_use.update(found)
    return found if count == 1 else found + hold(made, asked, in_use, count - 1)


def test_owners_have_blocks_of_their_own() -> None:
    made, in_use = Blocks(PORTS, 1), set[int]()
    assert hold(made, FIRST, in_use, BLOCK) == list(range(1_024, 1_032))
    assert hold(made, SECOND, in_use, 2) == [1_032, 1_033]
    assert hold(made, FIRST, in_use, 1) == [1_040]
    assert made.grants == 3


def test_a_block_serves_each_destination_anew_and_asks_nobody_for_it() -> None:
    made = Blocks(PORTS, 1)
    toward = {f"server {number}": set[int]() for number in range(5)}
    for name, in_use in toward.items():
        hold(made, Asked(name, owner=1), in_use, BLOCK)
    assert made.grants == 1


def test_an_idle_block_goes_back_to_the_end_and_the_last_one_stays() -> None:
    made, in_use = Blocks(PORTS, 1), set[int]()
    held = hold(made, FIRST, in_use, 9)
    for port in held:
        made.give_back(FIRST, port)
        in_use.discard(port)
    # The first block went back when its last port did; the second is the only one left and stays.
    assert hold(made, FIRST, in_use, 1) == [1_032]
    others = hold(made, SECOND, in_use, 56)
    assert others[-8:] == list(range(1_024, 1_032))
    assert made.pick(SECOND, in_use).port == NO_PORT


def test_a_limit_is_the_owners_own_wall() -> None:
    made, in_use = Blocks(PORTS, 1, size=16, most=1), set[int]()
    hold(made, FIRST, in_use, 16)
    assert made.pick(FIRST, in_use).port == NO_PORT
    assert made.pick(SECOND, in_use).port == 1_040


def test_ports_that_make_no_whole_block_are_not_lent() -> None:
    made, in_use = Blocks(PortRange(10, 30), 1), set[int]()
    assert hold(made, FIRST, in_use, 16) == list(range(10, 26))
    assert made.pick(FIRST, in_use).port == NO_PORT
