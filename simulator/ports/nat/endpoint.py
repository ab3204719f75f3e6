"""Endpoint-independent mapping: one outer place for one inner address and port, whoever is called.

Games and calls between peers need it, and carriers must offer it. It makes a port serve one inner
socket instead of one flow toward each destination, so that the number of destinations, which
multiplies every other budget, helps no longer.

Source: RFC 4787 REQ-1, RFC 5382 REQ-1; RFC 6888 REQ-1 for carriers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from simulator.ports.nat.flow import ANY, Flow, Grant, Nat, Shortage, Use

if TYPE_CHECKING:
    from collections.abc import Iterator


class EndpointMappings:
    """Any rule, with a place for each inner socket while one of its flows lives.

    Args:
        inner: hands out the places.
    """

    def __init__(self, inner: Nat) -> None:
        self._inner = inner
        self._live: dict[tuple[int, int], tuple[Grant, int]] = {}

    @property
    def shortage(self) -> Shortage:
        """Why the last `take` gave nothing."""
        return self._inner.shortage

    @shortage.setter
    def shortage(self, why: Shortage) -> None:
        self._inner.shortage = why

    @property
    def asks(self) -> int:
        """How often a host had to ask for more ports."""
        return self._inner.asks

    @asks.setter
    def asks(self, count: int) -> None:
        self._inner.asks = count

    def take(self, flow: Flow, now_ns: int) -> Grant | None:
        """The place that this socket has already, or a new one."""
        key = (flow.host, flow.port)
        live = self._live.get(key)
        if live is not None:
            self._live[key] = (live[0], live[1] + 1)
            return live[0]
        grant = self._inner.take(flow._replace(destination=ANY), now_ns)
        if grant is not None:
            self._live[key] = (grant, 1)
        return grant

    def give_back(self, flow: Flow, grant: Grant, now_ns: int, *, reset: bool) -> None:
        """With the socket's last flow its place is given back."""
        key = (flow.host, flow.port)
        _, flows = self._live.pop(key)
        if flows > 1:
            self._live[key] = (grant, flows - 1)
        else:
            inner = flow._replace(destination=ANY)
            self._inner.give_back(inner, grant, now_ns, reset=reset)

    def settle(self, now_ns: int) -> None:
        """Free what has rested enough."""
        self._inner.settle(now_ns)

    def uses(self) -> Iterator[Use]:
        """Places in use, each once."""
        yield from self._inner.uses()
