"""What the plan says of each connection: its requests, their service times, its pauses and end."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np

    from simulator.scenario.schema import Scenario


class PlanRows:
    """The plan, as whoever carries it out asks it.

    Args:
        scenario: whose.
        plan: columns by name.

    Attributes:
        requests: of each row.
        response: bytes of each of a row's answers.
    """

    __slots__ = (
        "_chunk",
        "_due",
        "_first",
        "_hold",
        "_lifetime",
        "_linger",
        "_phase",
        "_service",
        "_think",
        "requests",
        "response",
    )

    def __init__(self, scenario: Scenario, plan: Mapping[str, np.ndarray[Any, Any]]) -> None:
        self.requests: list[int] = plan["requests"].tolist()
        self.response: list[int] = plan["response_bytes"].tolist()
        self._due: list[int] = plan["due_ns"].tolist()
        self._lifetime: list[int] = plan["lifetime_ns"].tolist()
        self._first: list[int] = plan["first_service"].tolist()
        self._phase: list[int] = plan["phase"].tolist()
        self._service: list[int] = plan["service_ns"].tolist()
        self._think = plan["think_ns"].tolist() if "think_ns" in plan else None
        self._linger = plan["linger_ns"].tolist() if "linger_ns" in plan else None
        self._hold = {at for at, phase in enumerate(scenario.traffic) if phase.hold is not None}
        stream = scenario.backends.stream
        self._chunk = stream.chunk if stream is not None else 0

    def service_ns(self, row: int, begun: int) -> int:
        """Service time of a row's so-manieth request, ns."""
        return self._service[self._first[row] + begun - 1]

    def chunks(self, row: int) -> int:
        """Paced chunks of each answer after the first one."""
        return max(0, -(-self.response[row] // self._chunk) - 1) if self._chunk else 0

    def next_ns(self, row: int, begun: int, now_ns: int, sent_ns: int) -> int:
        """When the next request is due, or the end after the last; not before now.

        Args:
            row: whose.
            begun: requests begun so far.
            now_ns: when the last one was answered, or the connection made.
            sent_ns: when the row was sent; a lifetime counts from there, but all of a hold end
                with their phase.
        """
        requests = self.requests[row]
        at_ns = now_ns
        if self._think is not None:
            if begun < requests:
                at_ns += self._think[self._first[row] + begun]
            elif self._linger is not None:
                at_ns += self._linger[row]
        lifetime = self._lifetime[row]
        if at_ns == now_ns and lifetime:
            origin = self._due[row] if self._phase[row] in self._hold else sent_ns
            share = lifetime * begun // requests if begun < requests else lifetime
            at_ns = max(now_ns, origin + share)
        return at_ns
