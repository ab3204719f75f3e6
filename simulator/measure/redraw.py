"""How sure a ratio of two runs is: blocks or whole runs are drawn again, and the ratio made anew.

Source: Efron and Tibshirani, "An Introduction to the Bootstrap", 1993: percentile intervals,
section 13.3; two samples, section 8.3; blocks for what is correlated in time, section 8.6.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from simulator.measure.histogram import BEYOND
from simulator.measure.intervals import FEWEST_RUNS, RESAMPLES, Interval, middle

if TYPE_CHECKING:
    from collections.abc import Sequence

    from simulator.measure.blocks import Blocks, Floats, Spread, Tally

#: Draws of blocks: the ends of a 95 % interval then move by a twentieth of its width at most.
BLOCK_RESAMPLES: Final = 2_000

Draws = tuple["Floats", "Floats"]


def draws(over: Blocks, under: Blocks, rng: np.random.Generator, *, paired: bool) -> Draws:
    """How often each block is drawn in each resample, shapes (BLOCK_RESAMPLES, blocks).

    Args:
        over: the run above the line.
        under: the run below it.
        rng: where the draws come from.
        paired: draw the same blocks of both, which have as many; what both met in the same second
            of one plan then cancels.

    Raises:
        ValueError: paired, and the numbers of blocks differ.
    """
    above = _drawn(over.count, rng)
    if not paired:
        return above, _drawn(under.count, rng)
    if over.count != under.count:
        raise ValueError(f"{over.count} and {under.count} blocks make no pairs")
    return above, above


def _drawn(blocks: int, rng: np.random.Generator) -> Floats:
    return rng.multinomial(blocks, np.full(blocks, 1 / blocks), size=BLOCK_RESAMPLES).astype(float)


def ratio_of_tallies(over: Tally, under: Tally, drawn: Draws) -> Interval | None:
    """Interval of the ratio of two amounts; None where the one below may be 0."""
    return _ratio(_amounts(over, drawn[0]), _amounts(under, drawn[1]))


def _amounts(tally: Tally, drawn: Floats) -> Floats:
    amounts: Floats = drawn @ tally.amount
    if tally.per is None:
        return amounts
    per = drawn @ tally.per
    shares: Floats = np.divide(amounts, per, out=np.zeros_like(amounts), where=per > 0)
    return shares


def ratio_of_quantiles(over: Spread, under: Spread, share: float, drawn: Draws) -> Interval | None:
    """Interval of the ratio of one percentile of two runs.

    None where either has too few samples to tell that percentile, as `histogram` rules.

    Args:
        over: above the line.
        under: below it.
        share: which percentile, within 0..1.
        drawn: what `draws` gave.
    """
    if min(one.counts.sum() for one in (over, under)) * (1 - share) < BEYOND - 1e-9:
        return None
    return _ratio(quantiles(over, share, drawn[0]), quantiles(under, share, drawn[1]))


def quantiles(spread: Spread, share: float, drawn: Floats) -> Floats:
    """One percentile of each resample, ns, shape (resamples,); 0 where nothing was drawn.

    Each resample is searched by halving, so that only a few columns of counts are ever summed.
    """
    if not spread.counts.size:
        return np.zeros(len(drawn))
    below = np.cumsum(spread.counts, axis=1)
    total = drawn @ below[:, -1]
    rank = np.maximum(1, np.ceil(share * total - 1e-9))
    low = np.zeros(len(drawn), dtype=np.int64)
    high = np.full(len(drawn), len(spread.values_ns) - 1)
    while (low < high).any():
        half = (low + high) // 2
        short = np.einsum("rb,br->r", drawn, below[:, half]) < rank
        low, high = np.where(short, half + 1, low), np.where(short, high, half)
    return np.where(total > 0, spread.values_ns[high], 0.0)


def ratio_of_runs(
    over: Sequence[float], under: Sequence[float], rng: np.random.Generator
) -> Interval | None:
    """Interval of median(over) / median(under) of runs that are no pairs.

    None with fewer than five on a side, or where a median below may be 0.

    Args:
        over: one value a run.
        under: the same of the other side; the lengths may differ.
        rng: where the resamples come from.
    """
    if min(len(over), len(under)) < FEWEST_RUNS:
        return None
    above, below = (_medians(np.asarray(side, dtype=np.float64), rng) for side in (over, under))
    return _ratio(above, below)


def _medians(values: Floats, rng: np.random.Generator) -> Floats:
    chosen = rng.integers(0, len(values), size=(RESAMPLES, len(values)))
    found: Floats = np.median(values[chosen], axis=1)
    return found


def _ratio(above: Floats, below: np.ndarray[Any, Any]) -> Interval | None:
    return middle(above / below) if below.all() else None
