"""Endpoints by number: what pickers were told, and who is really there now."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from simulator.model.backends import Backend
    from simulator.ports.range import PortRange

Endpoint = tuple[str, int]


class HeldPorts:
    """Ports that listeners hold, within the range that the kernel hands out.

    Attributes:
        ports: which.
        changes: how often they changed, so that whoever keeps a copy knows when it is old.
    """

    __slots__ = ("changes", "ports")

    def __init__(self, ports: Iterable[int] = ()) -> None:
        self.ports = set(ports)
        self.changes = int(bool(self.ports))

    def add(self, port: int) -> None:
        """Somebody listens on it."""
        self.ports.add(port)
        self.changes += 1

    def discard(self, port: int) -> None:
        """Nobody listens on it any more."""
        self.ports.discard(port)
        self.changes += 1


class Directory:
    """Listeners by endpoint, and endpoints by the number under which they are dialed.

    Numbers are given in the order in which endpoints are told, as the kernel engine gives them.

    Args:
        kernel_range: listeners within it are passed over by the kernel's choice of source ports.

    Attributes:
        endpoints: by number.
        held: ports of ``kernel_range`` that listeners hold now.
    """

    def __init__(self, kernel_range: PortRange) -> None:
        self.endpoints: list[Endpoint] = []
        self.held = HeldPorts()
        self._range = kernel_range
        self._numbers: dict[Endpoint, int] = {}
        self._holders: dict[Endpoint, Backend] = {}

    def number(self, endpoint: Endpoint) -> int:
        """The number of an endpoint; the same endpoint always has the same."""
        found = self._numbers.get(endpoint)
        if found is None:
            found = self._numbers[endpoint] = len(self.endpoints)
            self.endpoints.append(endpoint)
        return found

    def at(self, number: int) -> Backend | None:
        """Who listens there now."""
        return self._holders.get(self.endpoints[number])

    def is_held(self, endpoint: Endpoint) -> bool:
        """Whether somebody has bound this endpoint."""
        return endpoint in self._holders

    def takes(self, backend: Backend, endpoint: Endpoint) -> None:
        """A backend binds."""
        self._holders[endpoint] = backend
        if self._range.first <= endpoint[1] <= self._range.last:
            self.held.add(endpoint[1])

    def gives_back(self, endpoint: Endpoint) -> None:
        """A listener is closed."""
        del self._holders[endpoint]
        if all(port != endpoint[1] for _, port in self._holders):
            self.held.discard(endpoint[1])
