"""Where a cost jumps: the occupancy from which on a connect takes several times as long.

The curve is the median of the cost in each half percent of occupancy. Its knee is the step that
explains most of its logarithm, in least squares. A curve without a jump has a best step too, so one
counts only when the cost behind it is at least twice the cost before it, and when it explains most
of the curve, which noise does not let it do.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np

#: Half a percent each.
STEPS: Final = 200
#: The least jump that is one, as a ratio of medians.
JUMP: Final = 2.0
#: The least share of the curve's spread that a jump must explain.
_EXPLAINS: Final = 0.5
#: Steps of the curve that must be known on each side of it, a twentieth of the budget.
_FLANK: Final = 10

Array = np.ndarray[Any, Any]


def curve(occupancy: Array, cost: Array) -> tuple[Array, Array]:
    """Median cost by occupancy.

    Args:
        occupancy: share in use, 0 to 1, shape (n,).
        cost: any unit, >= 0, shape (n,).

    Returns:
        Middle of each step that any connect met, and its median cost, both of shape (steps,).
    """
    step = np.clip((occupancy * STEPS + 1e-9).astype(np.int64), 0, STEPS - 1)
    order = np.lexsort((cost, step))
    met, first, count = np.unique(step[order], return_index=True, return_counts=True)
    middle: Array = (met + 0.5) / STEPS
    medians: Array = cost[order][first + count // 2].astype(np.float64)
    return middle, medians


def knee(occupancy: Array, cost: Array) -> float | None:
    """The occupancy at which the cost jumps, None where it does not; arguments as for `curve`."""
    middle, medians = curve(occupancy, cost)
    if len(middle) < 2 * _FLANK:
        return None
    level = np.log(np.maximum(medians, 1.0))
    level -= level.mean()
    count = np.arange(1, len(level))
    before = np.cumsum(level)[:-1]
    # What a step explains: the spread between the two means, weighed by how many they stand for.
    gain = before**2 * (1 / count + 1 / (len(level) - count))
    inside = slice(_FLANK - 1, len(level) - _FLANK)
    at = int(np.argmax(gain[inside])) + _FLANK
    jump = float(np.median(medians[at:]) / max(1.0, np.median(medians[:at])))
    if jump < JUMP or gain[at - 1] < _EXPLAINS * float((level**2).sum()):
        return None
    return float(middle[at - 1] + middle[at]) / 2
