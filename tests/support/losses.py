"""Loss systems of a few tuples, and who is served in them by the rule that tests hold to."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
from hypothesis import strategies as st

from simulator.model.stretches import serve

if TYPE_CHECKING:
    from simulator.model.stream_fates import Fates

    Ints = np.ndarray[Any, np.dtype[np.int64]]

#: Turns of groups: one, several, and one that comes up twice.
TURNS = st.sampled_from([[0], [0, 1], [2, 0, 1], [0, 1, 0]])
ROWS = st.lists(st.tuples(st.integers(0, 300), st.integers(5, 90)), min_size=1, max_size=150)
CUTS = st.lists(st.integers(0, 150), max_size=3)


def served(due: Ints, hold: Ints, turn: Ints, tuples: int) -> list[bool]:
    """Who is served, group by group, all rows at once."""
    group = np.resize(turn, len(due))
    held = np.broadcast_to(hold, due.shape)
    found = np.zeros(len(due), dtype=np.bool_)
    for one in np.unique(group):
        rows = np.flatnonzero(group == one)
        found[rows] = serve(due[rows], held[rows], tuples).taken
    return [bool(one) for one in found]


def in_parts(fates: Fates, due: Ints, hold: Ints, cuts: list[int]) -> list[bool]:
    """Who is served when the rows come in parts."""
    edges = sorted({0, len(due), *(cut for cut in cuts if cut < len(due))})
    found: list[bool] = []
    for first, last in pairwise(edges):
        rows = slice(first, last)
        part = fates.take(due[rows], hold if len(hold) == 1 else hold[rows], first)
        found += part.tolist()
    return found


def held_at(due: Ints, hold: Ints, turn: Ints, taken: list[bool], now_ns: int) -> list[int]:
    """Tuples of each group in use at a moment."""
    there = np.array(taken) & (due <= now_ns) & (due + hold > now_ns)
    found = np.bincount(np.resize(turn, len(due))[there], minlength=int(turn.max()) + 1)
    return [int(one) for one in found]
