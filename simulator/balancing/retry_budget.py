"""A retry budget: retries are a share of the traffic, whatever fails.

Without one, r retries for each connection multiply the load by 1 + r just when backends fail. Each
connection pays in a share of a retry, each retry takes one out; what may be saved is bounded, so
that a quiet hour does not pay for a storm.

Source: gRPC proposal A6, "gRPC Retry Design", throttling of retries by token count; Finagle
`RetryBudget`.
"""

from __future__ import annotations


class RetryBudget:
    """Tokens for retries.

    Args:
        share: retries that each connection pays for, above 0.
        reserve: what may be saved, and what there is at first.
    """

    __slots__ = ("_reserve", "_share", "_tokens")

    def __init__(self, share: float, reserve: int) -> None:
        self._share = share
        self._reserve = float(reserve)
        self._tokens = float(reserve)

    def pay_in(self) -> None:
        """A new connection."""
        self._tokens = min(self._reserve, self._tokens + self._share)

    def take(self) -> bool:
        """Whether a retry may be made now; if so it is paid for."""
        if self._tokens < 1.0:
            return False
        self._tokens -= 1.0
        return True
