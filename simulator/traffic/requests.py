"""How many requests connections carry: numbers drawn from a scenario's `Requests`; pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from simulator.scenario.requests import MAX_REQUESTS_EACH

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from simulator.scenario.requests import Requests


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Kept:
    """What is left of connections whose clients do not stay idle for ever.

    Attributes:
        requests: that each connection still carries, shape (connections,).
        linger_ns: idle time before the client closes, shape (connections,), ns.
        is_sent: which of all drawn requests are sent, shape (requests,).
    """

    requests: NDArray[np.int64]
    linger_ns: NDArray[np.int64]
    is_sent: NDArray[np.bool_]


def keep_alive(
    requests: NDArray[np.int64], think_ns: NDArray[np.int64], idle_ns: int | None
) -> Kept:
    """End each connection before the first pause that is longer than its client stays idle.

    Args:
        requests: of each connection, shape (connections,).
        think_ns: pause before each request, shape (requests,), 0 before a connection's first.
        idle_ns: how long a client stays idle; None = for ever.
    """
    linger = np.zeros(len(requests), dtype=np.int64)
    if idle_ns is None:
        return Kept(
            requests=requests, linger_ns=linger, is_sent=np.ones(len(think_ns), dtype=np.bool_)
        )
    row = np.repeat(np.arange(len(requests)), requests)
    number = np.arange(len(think_ns)) - np.repeat(np.cumsum(requests) - requests, requests)
    long = np.flatnonzero(think_ns > idle_ns)
    rows, first = np.unique(row[long], return_index=True)
    left = requests.copy()
    left[rows] = number[long[first]]
    linger[rows] = idle_ns
    return Kept(requests=left, linger_ns=linger, is_sent=number < left[row])


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
