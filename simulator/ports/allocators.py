"""Allocators of listening ports: in which order each tries its candidates; all bind and keep.

An allocator never says that a port is free: it names candidates, its caller binds one and keeps
the socket, and a candidate that somebody holds is a lost race. Where RFC 6056 asks whether a port
is suitable, bind() answers. Its algorithms 3 and 4 hash the peer's address, which a listener does
not have, so they do not apply.

Sources: RFC 6056 section 3.3 (algorithms 1, 2 and 5); Nomad, nomad/structs/network.go (20 random
tries, then a scan); Kubernetes 1.27, "Avoid collisions assigning ports to NodePort Services".
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal, Protocol

from simulator.ports.lease import kernel_candidates
from simulator.ports.range import DYNAMIC, USER, PortRange
from simulator.ports.selection.walks import (
    RandomSteps,
    permanent_candidates,
    random_candidates,
    redraws,
)
from simulator.seeds import pure_random

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

NOMAD: Final = PortRange(20000, 32000)
NODE_PORT: Final = PortRange(30000, 32767)
#: Tries of Nomad's scheduler before it scans.
NOMAD_TRIES: Final = 20
#: How often bind() to port 0 is asked again when what it gave must not be used yet.
_KERNEL_TRIES: Final = 64

AllocatorName = Literal[
    "kernel",
    "random",
    "permanent",
    "fixed",
    "sequential",
    "blocks",
    "random-start",
    "random-retry",
    "random-increments",
    "nomad",
    "nodeport",
]
#: Default range of each allocator; None: the kernel picks in its own.
DEFAULT_RANGES: Final[dict[str, PortRange | None]] = {
    "kernel": None,
    "random": DYNAMIC,
    "permanent": USER,
    "fixed": USER,
    "sequential": DYNAMIC,
    "blocks": DYNAMIC,
    "random-start": DYNAMIC,
    "random-retry": DYNAMIC,
    "random-increments": DYNAMIC,
    "nomad": NOMAD,
    "nodeport": NODE_PORT,
}


class Allocator(Protocol):
    """Names the ports that a backend should try."""

    def candidates(self, backend: int, generation: int) -> Iterator[int]:
        """Ports to try in order, 0 = let the kernel pick.

        Args:
            backend: id of who wants one.
            generation: how many ports it has had before.
        """
        ...

    def taken(self, backend: int, port: int) -> None:
        """A backend has bound this port."""
        ...


class _Stateless:
    """An allocator whose candidates depend on who asks, and how often, alone."""

    def __init__(self, name: str, ports: PortRange, seed: int) -> None:
        self._name = name
        self._ports = ports
        self._seed = seed

    def candidates(self, backend: int, generation: int) -> Iterator[int]:
        """Ports to try, in order."""
        if self._name == "kernel":
            for _ in range(_KERNEL_TRIES):
                yield from kernel_candidates()
            return
        if self._name == "permanent":
            yield from permanent_candidates(self._ports, backend)
            return
        if self._name == "fixed":  # a service has the port of its configuration, or none
            yield self._ports.first + backend
            return
        names = (backend, generation) if generation else (backend,)
        draw = pure_random(self._seed, "listener", *names).randrange
        ports = self._ports
        if self._name == "random-start":
            yield from permanent_candidates(ports, draw(len(ports)))
        elif self._name == "random-retry":
            yield from redraws(ports, draw)
        elif self._name == "nomad":
            yield from nomad_candidates(ports, draw)
        elif self._name == "nodeport":
            generator = pure_random(self._seed, "listener", *names)
            lower = static_band(ports)
            yield from random_candidates(PortRange(lower.last + 1, ports.last), generator)
            yield from random_candidates(lower, generator)
        else:
            yield from random_candidates(ports, pure_random(self._seed, "listener", *names))

    def taken(self, backend: int, port: int) -> None:
        """Nothing to remember."""


def nomad_candidates(ports: PortRange, draw: Callable[[int], int]) -> Iterator[int]:
    """Twenty ports at random, then all of them from the lowest on."""
    for _ in range(NOMAD_TRIES):
        yield ports.first + draw(len(ports))
    yield from range(ports.first, ports.last + 1)


def static_band(ports: PortRange) -> PortRange:
    """The lower ports of a NodePort range, kept for requests that name their port.

    ``min(max(16, size / 32), 128)`` of them: 86 of 2,768.
    """
    size = min(max(16, len(ports) // 32), 128, len(ports) - 1)
    return PortRange(ports.first, ports.first + size - 1)


class _Sequential:
    """The next port after the one given last, with wrap; all backends share the place."""

    def __init__(self, ports: PortRange) -> None:
        self._ports = ports
        self._next = 0

    def candidates(self, backend: int, generation: int) -> Iterator[int]:
        """Every port once, from the place reached."""
        del backend, generation  # everybody is served in turn
        yield from permanent_candidates(self._ports, self._next)

    def taken(self, backend: int, port: int) -> None:
        """Go on after this one."""
        del backend
        self._next = port - self._ports.first + 1


class _Blocks:
    """Each backend has a block of ports to itself, and goes round in it."""

    def __init__(self, ports: PortRange, backends: int) -> None:
        self._ports = ports
        self._backends = backends
        self._next: dict[int, int] = {}

    def candidates(self, backend: int, generation: int) -> Iterator[int]:
        """Every port of the backend's own block once, after the one it had last."""
        del generation
        block = self._ports.slice(backend, self._backends)
        yield from permanent_candidates(block, self._next.get(backend, 0))

    def taken(self, backend: int, port: int) -> None:
        """Go on after this one."""
        self._next[backend] = port - self._ports.slice(backend, self._backends).first + 1


class _RandomIncrements:
    """RFC 6056 algorithm 5: each candidate lies 1 to N after the one before, wherever it was."""

    def __init__(self, ports: PortRange, seed: int) -> None:
        self._steps = RandomSteps(ports, pure_random(seed, "listener", "increments").randrange)

    def candidates(self, backend: int, generation: int) -> Iterator[int]:
        """As many candidates as there are ports, as the algorithm has it."""
        del backend, generation  # one walk for all
        yield from self._steps.candidates()

    def taken(self, backend: int, port: int) -> None:
        """The walk goes on from where it stands."""


def make_allocator(name: str, ports: PortRange | None, seed: int, backends: int) -> Allocator:
    """The allocator of a scenario's name.

    Args:
        name: a key of `DEFAULT_RANGES`.
        ports: where it takes them from; None where the kernel picks.
        seed: key of its random streams.
        backends: how many backends share the range.

    Raises:
        ValueError: no allocator has this name.
    """
    if name not in DEFAULT_RANGES:
        raise ValueError(f"{name} is not an allocator; choose one of {', '.join(DEFAULT_RANGES)}")
    ports = ports or DYNAMIC  # the kernel's own range needs no name
    if name == "sequential":
        return _Sequential(ports)
    if name == "blocks":
        return _Blocks(ports, backends)
    if name == "random-increments":
        return _RandomIncrements(ports, seed)
    return _Stateless(name, ports, seed)
