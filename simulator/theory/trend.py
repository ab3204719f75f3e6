"""When a budget will be used up if its use goes on along a straight line, and whether there is one.

Use over the last moments is fitted by least squares, ``n(t) = a + g t``. There is a trend when the
slope is more than three of its standard errors; what is left then lasts ``(N - n) / g``. This is
what can be said of a count alone, knowing neither holds nor rates (`time_to_wall` knows them): it
holds while the line does, and TIME_WAIT bends the line flat after one hold.

Source: Draper and Smith, Applied Regression Analysis, 3rd ed., 1998, section 1.4.
"""

from __future__ import annotations

from math import inf, sqrt
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

#: Standard errors that a slope must be away from none.
_SIGNIFICANT: Final = 3.0
#: Fewer points than this make no line.
_FEWEST: Final = 5


def wall_by_trend_s(t_s: Sequence[float], in_use: Sequence[float], budget: float) -> float:
    """Seconds after the last moment until a budget is used up.

    Args:
        t_s: moments in s, ascending.
        in_use: of the budget, as many.
        budget: N, above 0.

    Returns:
        0 when it is used up, infinite without a rising trend.
    """
    if in_use and in_use[-1] >= budget:
        return 0.0
    count = len(t_s)
    if count < _FEWEST:
        return inf
    mean_t, mean_n = sum(t_s) / count, sum(in_use) / count
    spread = sum((t - mean_t) ** 2 for t in t_s)
    if spread <= 0:
        return inf
    slope = sum((t - mean_t) * (n - mean_n) for t, n in zip(t_s, in_use, strict=True)) / spread
    residual = sum(
        (n - mean_n - slope * (t - mean_t)) ** 2 for t, n in zip(t_s, in_use, strict=True)
    )
    error = sqrt(residual / (count - 2) / spread)
    if slope <= _SIGNIFICANT * error or slope <= 0:
        return inf
    fitted = mean_n + slope * (t_s[-1] - mean_t)
    return max(0.0, (budget - fitted) / slope)
