"""How a cost grows with the work, in words: from measured points to a law.

A power law *cost = a * work^b* is a straight line between the logarithms, and its exponent the
slope of the line of least squares. What it is called goes by the exponent, with room for noise: a
cost that grows by half while the work grows tenfold (b = 0.18) still counts as constant.

Source: any text on the analysis of algorithms by experiment, such as McGeoch, *A Guide to
Experimental Algorithmics* (2012), chapter 7.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import log
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

FALLING: Final = "falling"
CONSTANT: Final = "constant"
SLOWER: Final = "slower than linear"
LINEAR: Final = "linear"
WORSE: Final = "worse than linear"
UNKNOWN: Final = "unknown"
#: Exponents up to which a law has its name.
_FALLING_TO: Final = -0.2
_CONSTANT_TO: Final = 0.2
_SLOWER_TO: Final = 0.75
_LINEAR_TO: Final = 1.25


@dataclass(frozen=True, slots=True, kw_only=True)
class Growth:
    """A fitted law.

    Attributes:
        exponent: b of *a * work^b*, None where fewer than two points tell nothing.
        word: what to call it.
    """

    exponent: float | None
    word: str

    def sentence(self, cost: str, work: str) -> str:
        """In words: ``sampler cost grows linearly with sockets (exponent 1.02)``."""
        if self.exponent is None:
            return f"{cost} against {work}: too few points to say"
        if self.word == FALLING:
            return f"{cost} falls while {work} grow (exponent {self.exponent:.2f})"
        if self.word == CONSTANT:
            return f"{cost} stays constant while {work} grow (exponent {self.exponent:.2f})"
        if self.word == LINEAR:
            return f"{cost} grows linearly with {work} (exponent {self.exponent:.2f})"
        return f"{cost} grows {self.word} with {work} (exponent {self.exponent:.2f})"


def fit(work: Sequence[float], cost: Sequence[float]) -> Growth:
    """The power law through some points.

    Args:
        work: how much was asked, positive.
        cost: what it took, in the same order; points that are not positive are left out.

    Returns:
        The law; its word is UNKNOWN where all points have the same work, or fewer than two remain.

    Raises:
        ValueError: the sequences have different lengths.
    """
    points = [
        (log(one), log(other))
        for one, other in zip(work, cost, strict=True)
        if one > 0 and other > 0
    ]
    if len({x for x, _ in points}) < 2:
        return Growth(exponent=None, word=UNKNOWN)
    mean_x = sum(x for x, _ in points) / len(points)
    mean_y = sum(y for _, y in points) / len(points)
    spread = sum((x - mean_x) ** 2 for x, _ in points)
    exponent = sum((x - mean_x) * (y - mean_y) for x, y in points) / spread
    return Growth(exponent=exponent, word=_word(exponent))


def _word(exponent: float) -> str:
    if exponent <= _CONSTANT_TO:
        return CONSTANT if exponent >= _FALLING_TO else FALLING
    if exponent < _SLOWER_TO:
        return SLOWER
    return LINEAR if exponent <= _LINEAR_TO else WORSE
