"""The arena: algorithms of port selection play the same connections, and are measured alike.

One stream for all: arrivals at random (Poisson), exponential lifetimes, destinations and owners
drawn evenly. A port is busy for a connection's life and the TIME_WAIT after it. Load is the share
of one range that is busy in the mean, by Little's law: a stack that shares ports among destinations
therefore sees each destination's part of it alone, and one that does not sees all.
"""

from __future__ import annotations

from dataclasses import dataclass
from heapq import heappop, heappush
from typing import TYPE_CHECKING, Final, NamedTuple

from simulator.ports.range import PortRange
from simulator.ports.selection.selector import NO_PORT, Asked
from simulator.seeds import pure_random

if TYPE_CHECKING:
    from collections.abc import Sequence

    from simulator.ports.selection.catalogue import Algorithm

#: Ports of the range that is filled to the last; a parity walk over more takes minutes.
FILLED_AT_MOST: Final = 4096
DEFAULT_PORTS: Final = PortRange(49_152, 53_247)


@dataclass(frozen=True, slots=True, kw_only=True)
class Game:
    """What is played.

    Attributes:
        ports: the range.
        load: share of the range that is busy in the mean, above 0; from 1 on it overflows.
        connections: how many connections ask for a port.
        destinations: how many destinations they go to, each as often as the others.
        owners: hosts behind a NAT that ask; matters for blocks alone.
        lifetime_s: mean life of a connection, seconds.
        time_wait_s: how long its port stays busy after that, seconds.
        memory_s: how long a server or a firewall remembers an ended tuple, seconds.
        every: an outsider sees every so manieth port.
        window: a guess counts when the port lies so near to it.
        seed: of the stream, and of each algorithm.
    """

    ports: PortRange = DEFAULT_PORTS
    load: float = 0.5
    connections: int = 40_000
    destinations: int = 4
    owners: int = 16
    lifetime_s: float = 1.0
    time_wait_s: float = 1.0
    memory_s: float = 2.5
    every: int = 4
    window: int = 8
    seed: int = 1

    @property
    def rate_per_s(self) -> float:
        """Connections for each second that give the load (Little's law)."""
        return self.load * len(self.ports) / (self.lifetime_s + self.time_wait_s)

    @property
    def is_short(self) -> bool:
        """Whether it ends before the range is at its load, and each port was used a few times."""
        return self.connections < 4 * len(self.ports)


class Connection(NamedTuple):
    """One connection of the stream.

    Attributes:
        at_s: when it asks for a port.
        ends_s: when it is closed; its port is busy for the TIME_WAIT longer.
        destination: toward where.
        owner: who asks.
        wanted: the port that it has behind a NAT.
    """

    at_s: float
    ends_s: float
    destination: int
    owner: int
    wanted: int


class Play(NamedTuple):
    """What an algorithm did with the stream, a value for each connection.

    Attributes:
        ports: the port, or `NO_PORT`.
        probes: ports looked at.
        early: failures while a port was free.
    """

    ports: list[int]
    probes: list[int]
    early: int


class Filling(NamedTuple):
    """A range toward one destination, filled by connections that do not end.

    Attributes:
        size: ports of the range.
        probes: ports looked at by each pick, the failed one at the end not included.
    """

    size: int
    probes: list[int]

    @property
    def full_at(self) -> float:
        """Share of the range in use when the first pick failed."""
        return len(self.probes) / self.size

    def curve(self, points: int = 50) -> list[tuple[float, float]]:
        """Occupancy (its middle, as a share) and mean probes, in so many equal steps of it."""
        found = []
        for index in range(points):
            low, high = (self.size * at // points for at in (index, index + 1))
            part = self.probes[low:high]
            if part:
                found.append(((low + len(part) / 2) / self.size, sum(part) / len(part)))
        return found


def stream(game: Game) -> list[Connection]:
    """The connections of a game, in order of time; the same for the same seed."""
    times = pure_random(game.seed, "arena", "arrivals").expovariate
    lives = pure_random(game.seed, "arena", "lifetimes").expovariate
    draw = pure_random(game.seed, "arena", "places").randrange
    first, size = game.ports.first, len(game.ports)
    found = []
    at_s = 0.0
    for _ in range(game.connections):
        at_s += times(game.rate_per_s)
        found.append(
            Connection(
                at_s=at_s,
                ends_s=at_s + lives(1 / game.lifetime_s),
                destination=draw(game.destinations),
                owner=draw(game.owners),
                wanted=first + draw(size),
            )
        )
    return found


def play(algorithm: Algorithm, game: Game, connections: Sequence[Connection]) -> Play:
    """Let one algorithm pick a port for each connection."""
    selector = algorithm.make(game.ports, game.seed)
    # By port there is one occupancy for all destinations, by tuple one for each.
    count = 1 if algorithm.scope == "port" else game.destinations
    busy: list[set[int]] = [set() for _ in range(count)]
    ends: list[tuple[float, int, int]] = []
    played = Play([], [], 0)
    early = 0
    for turn, one in enumerate(connections):
        while ends and ends[0][0] <= one.at_s:
            free_s, ended, port = heappop(ends)
            gone = connections[ended]
            busy[gone.destination % count].discard(port)
            selector.give_back(_asked(gone, free_s), port)
        in_use = busy[one.destination % count]
        port, probes = selector.pick(_asked(one, one.at_s), in_use)
        played.ports.append(port)
        played.probes.append(probes)
        if port == NO_PORT:
            early += len(in_use) < len(game.ports)
        else:
            in_use.add(port)
            heappush(ends, (one.ends_s + game.time_wait_s, turn, port))
    return played._replace(early=early)


def _asked(one: Connection, at_s: float) -> Asked:
    return Asked(one.destination, at_s=at_s, owner=one.owner, wanted=one.wanted)


def fill(algorithm: Algorithm, game: Game) -> Filling:
    """Let one algorithm fill the range toward one destination until it gives up.

    The range is cut to its first `FILLED_AT_MOST` ports; picks come at the game's rate.
    """
    first = game.ports.first
    ports = PortRange(first, min(game.ports.last, first + FILLED_AT_MOST - 1))
    selector = algorithm.make(ports, game.seed)
    draw = pure_random(game.seed, "arena", "fill").randrange
    in_use = set[int]()
    probes: list[int] = []
    while True:
        asked = Asked(0, at_s=len(probes) / game.rate_per_s, wanted=first + draw(len(ports)))
        port, looked_at = selector.pick(asked, in_use)
        if port == NO_PORT:
            return Filling(len(ports), probes)
        in_use.add(port)
        probes.append(looked_at)
