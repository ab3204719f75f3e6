"""How long things last: times drawn from a scenario's `Duration`; pure.

Lognormal times are ``median * exp(sigma Z)``. Pareto times are cut at their cap by inverting the
distribution function of the truncated law, so that no mass gathers at the cap. No time is longer
than a scenario may last.

Source: Johnson, Kotz and Balakrishnan, Continuous Univariate Distributions, vol. 1 (1994), chapters
14 (lognormal) and 20 (Pareto, with its truncated form).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from simulator.scenario.fields import MAX_DURATION_NS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from simulator.scenario.distributions import Bimodal, Duration, Lognormal, Pareto

    Floats = NDArray[np.float64]


def draw_ns(duration: Duration, count: int, generator: np.random.Generator) -> NDArray[np.int64]:
    """Times in ns, shape (count,), int64, each >= 0.

    A constant duration draws nothing from the generator.
    """
    if duration.exponential is not None:
        drawn = generator.standard_exponential(count) * duration.exponential
    elif duration.lognormal is not None:
        drawn = _lognormal(duration.lognormal, count, generator)
    elif duration.pareto is not None:
        drawn = _pareto(duration.pareto, count, generator)
    elif duration.bimodal is not None:
        drawn = _bimodal(duration.bimodal, count, generator)
    else:
        return np.full(count, duration.constant or 0, dtype=np.int64)
    return np.rint(np.minimum(drawn, MAX_DURATION_NS)).astype(np.int64)


def _lognormal(shape: Lognormal, count: int, generator: np.random.Generator) -> Floats:
    drawn: Floats = shape.median * np.exp(shape.sigma * generator.standard_normal(count))
    return drawn


def _pareto(shape: Pareto, count: int, generator: np.random.Generator) -> Floats:
    kept = 1 - (shape.scale / shape.cap) ** shape.alpha
    drawn: Floats = shape.scale * (1 - kept * generator.random(count)) ** (-1 / shape.alpha)
    return drawn


def _bimodal(shape: Bimodal, count: int, generator: np.random.Generator) -> Floats:
    is_slow = generator.random(count) < shape.share
    return np.where(is_slow, float(shape.slow), float(shape.fast))
