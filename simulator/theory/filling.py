"""When a rate that rises evenly meets its tuples, from a standing start.

The rate is ``r + s t``, each connection holds its tuple for ``h = H + W``. Until ``h`` nothing
comes back, so ``r t + s t^2 / 2`` tuples are in use; from then on those of the last ``h`` seconds,
``h (r + s (t - h / 2))``. The wall is met half a ``h`` after the rate has crossed ``N / h``: a ramp
looks better than it is for that long.

Exact for a constant time held and evenly spaced arrivals; Poisson arrivals meet it a little sooner,
by about ``sqrt(N) / (s h)``. A steady rate is `little.lasts_s`.

Source: Little (1961), and the integral of the rate.
"""

from __future__ import annotations

from math import inf, sqrt


def lasts_rising_s(tuples: float, from_per_s: float, rise_per_s2: float, held_s: float) -> float:
    """How long a rising rate goes on until the tuples are used up, s.

    Args:
        tuples: N, >= 0.
        from_per_s: r, the rate at the start, >= 0.
        rise_per_s2: s, by how much it grows in each second, > 0.
        held_s: h, > 0; infinite when tuples never come back.

    Returns:
        Seconds since the start. A ramp that ends sooner never meets the wall.

    Raises:
        ValueError: an argument is out of its range.
    """
    if min(tuples, from_per_s) < 0 or rise_per_s2 <= 0 or held_s < 0:
        raise ValueError("tuples, rates and times cannot be negative, and the rate rises")
    if held_s == 0:
        return inf
    # The stable root of r t + s t^2 / 2 = N.
    alone = 2 * tuples / (from_per_s + sqrt(from_per_s**2 + 2 * rise_per_s2 * tuples) or 1.0)
    if alone <= held_s:
        return alone
    return (tuples / held_s - from_per_s) / rise_per_s2 + held_s / 2
