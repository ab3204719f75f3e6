"""How long things last: times drawn from a scenario's `Duration`; pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from simulator.scenario.schema import Duration


def draw_ns(duration: Duration, count: int, generator: np.random.Generator) -> NDArray[np.int64]:
    """Times in ns, shape (count,), int64, each >= 0.

    A constant duration draws nothing from the generator.
    """
    if duration.exponential is not None:
        drawn = generator.standard_exponential(count) * duration.exponential
        return np.rint(drawn).astype(np.int64)
    return np.full(count, duration.constant or 0, dtype=np.int64)
