"""Fewer points that look the same: extremes stay, and so do gaps.

A chart is some hundred pixels wide. In each of as many equal stretches of points, the least and
the greatest value are kept in their order, so that no peak is ever lost, however short.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence


def thin(
    x: Sequence[float], y: Sequence[float | None], most: int = 1200
) -> tuple[tuple[float, ...], tuple[float | None, ...]]:
    """A series with at most about ``most`` points.

    Args:
        x: moments, ascending.
        y: values, as many; None is a gap, which is kept.
        most: points wanted, at least 4.

    Returns:
        x and y of what is kept: first, last, each stretch's least and greatest, and gaps.
    """
    count = len(y)
    if count <= most:
        return tuple(x), tuple(y)
    values = np.array([np.nan if one is None else one for one in y], dtype=np.float64)
    kept = {0, count - 1}
    edges = np.linspace(0, count, max(2, most // 2) + 1).astype(int)
    for start, end in pairwise(edges):
        part = values[start:end]
        known = ~np.isnan(part)
        if not known.all():
            kept.add(int(start + np.flatnonzero(~known)[0]))
        if known.any():
            kept |= {int(start + np.nanargmin(part)), int(start + np.nanargmax(part))}
    order = sorted(kept)
    return tuple(float(x[at]) for at in order), tuple(y[at] for at in order)
