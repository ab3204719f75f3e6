"""The frame of a selector: the first free candidate, and what it cost to find."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from simulator.ports.range import PortRange
from simulator.ports.selection.selector import NO_PORT, Asked, Pick, Walking, first_free

if TYPE_CHECKING:
    from collections.abc import Iterator


class Upward(Walking):
    def candidates(self, asked: Asked) -> Iterator[int]:
        yield from range(self.ports.first, self.ports.last + 1)


def test_probes_count_every_port_looked_at() -> None:
    assert first_free([7, 8, 9], set()) == Pick(7, 1)
    assert first_free([7, 8, 9], {7, 8}) == Pick(9, 3)
    assert first_free([7, 8, 9], {7: "x", 8: "y", 9: "z"}) == Pick(NO_PORT, 3)
    assert first_free([], set()) == Pick(NO_PORT, 0)


def test_a_walk_is_all_that_an_algorithm_must_name() -> None:
    made = Upward(PortRange(5, 6))
    assert made.pick(Asked("server"), {5}) == Pick(6, 2)
    made.give_back(Asked("server"), 6)
    assert made.pick(Asked("server"), {5, 6}) == Pick(NO_PORT, 2)
    with pytest.raises(NotImplementedError):
        Walking(PortRange(5, 6)).candidates(Asked("server"))
