"""A bar that shows how a hop's tuple budget is used, readable with and without colour.

Each cell is a letter on a coloured ground: ``E`` established, ``T`` TIME_WAIT, ``o`` any other
state, ``.`` free. A state that has one tuple has one cell, and the last free cell goes only when
the last tuple does: a bar without a dot means *nothing left*.
"""

from __future__ import annotations

from typing import Final

from rich.text import Text

LETTERS: Final = "ETo."
_STYLES: Final = ("black on green", "black on yellow", "white on magenta", "dim")


def cells(counts: list[int], width: int) -> list[int]:
    """Share out cells by size: every count above 0 gets one at least, and their sum is ``width``.

    Args:
        counts: tuples in each state, none negative.
        width: cells to share out, at least one for each count.

    Returns:
        Cells for each count, in the same order; all 0 when nothing is counted.
    """
    total = sum(counts)
    if total == 0:
        return [0] * len(counts)
    exact = [count * width / total for count in counts]
    shares = [
        max(1, int(share)) if count else 0 for share, count in zip(exact, counts, strict=True)
    ]
    by_need = sorted(range(len(counts)), key=lambda i: shares[i] - exact[i])
    while sum(shares) < width:
        index = min(by_need, key=lambda i: (shares[i] - exact[i], i))
        shares[index] += 1
    while sum(shares) > width:
        index = max((i for i in by_need if shares[i] > 1), key=lambda i: (shares[i] - exact[i], i))
        shares[index] -= 1
    return shares


def occupancy_bar(*, budget: int, established: int, time_wait: int, other: int, width: int) -> Text:
    """The bar of one hop.

    Args:
        budget: tuples that one source has toward one destination.
        established: of those, in ESTABLISHED.
        time_wait: of those, in TIME_WAIT.
        other: of those, in any other state.
        width: cells, at least 4.
    """
    used = [max(0, established), max(0, time_wait), max(0, other)]
    counts = [*used, max(0, budget - sum(used))]
    bar = Text()
    for letter, style, share in zip(LETTERS, _STYLES, cells(counts, max(4, width)), strict=True):
        bar.append(letter * share, style)
    return bar
