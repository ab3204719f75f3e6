"""How many requests connections carry: numbers drawn from a scenario's `Requests`; pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from simulator.scenario.requests import MAX_REQUESTS_EACH

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from simulator.scenario.requests import Requests


def draw_requests(
    requests: Requests, count: int, generator: np.random.Generator
) -> NDArray[np.int64]:
    """Requests of each connection, shape (count,).

    A constant number draws nothing from the generator. A geometric number has
    P(k) = (1 - p)^(k - 1) p with p = 1 / mean; one above the limit becomes the limit.
    """
    if requests.geometric is not None:
        drawn = generator.geometric(1 / requests.geometric, count)
        return np.minimum(drawn, MAX_REQUESTS_EACH).astype(np.int64)
    if requests.uniform is not None:
        return generator.integers(
            requests.uniform.from_, requests.uniform.to, count, endpoint=True, dtype=np.int64
        )
    return np.full(count, requests.constant or 0, dtype=np.int64)
