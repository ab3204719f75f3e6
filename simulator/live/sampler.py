"""The sampler: how many tuples of each hop are in use, in which state, several times a second.

A sample is one dump of the namespace's socket table, grouped by what competes for the same ports:
(source, destination address, destination port), or the source address alone where a port can
serve one destination only (early bind). Only the end that connected holds an ephemeral port, so
only that end counts as *in use*; the accepting ends are reported apart. A tuple in TIME_WAIT is in
use for as long as the next connection may not take it over (tcp_tw_reuse_delay); the kernel keeps
it in the table for 60 s all the same, and from then on it is *recyclable* and counted apart.

The sampler watches its own cost. When reading takes more than its share of a core it samples less
often and says so in every sample, since a measurement that slows its object is not one.
"""

from __future__ import annotations

from dataclasses import dataclass
from time import process_time_ns
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from simulator.clock import monotonic_ns
from simulator.kernel.counters import read_counters, read_time_wait_count
from simulator.kernel.sockdiag import (
    ALL_STATES,
    BOUND,
    CLOSE_WAIT,
    ESTABLISHED,
    FIN_WAIT,
    LISTEN,
    TIME_WAIT,
    WITH_BOUND,
    SocketDiag,
    SocketTable,
)
from simulator.live.role import Role
from simulator.ports.range import PortRange
from simulator.ports.space import space

if TYPE_CHECKING:
    import asyncio
    import socket
    from collections.abc import Iterator

    from simulator.live.channel import Message
    from simulator.live.settings import HopView, SamplerRole

#: Most of one core that sampling may take before the interval is stretched.
CORE_SHARE: Final = 0.02
_LONGEST_NS: Final = 600_000_000_000
#: Longest stretch of reading before the role looks at its other work.
_STRETCH_NS: Final = 20_000_000
#: TCP_TIMEWAIT_LEN (include/net/tcp.h); the table shows what is left of it.
_TIME_WAIT_MS: Final = 60_000

Array = np.ndarray[Any, Any]


@dataclass(frozen=True, slots=True)
class _Groups:
    """Sockets of one hop's connecting ends by competing group; arrays of one entry per group."""

    keys: Array
    in_use: Array
    established: Array
    time_wait: Array


def dotted(address: int) -> str:
    """An IPv4 address in its usual form."""
    return ".".join(str(address >> shift & 255) for shift in (24, 16, 8, 0))


def group_tuples(table: SocketTable, chosen: Array, per: str) -> _Groups:
    """Count the chosen sockets by the group that shares one budget.

    Args:
        table: one dump.
        chosen: boolean, one entry per socket of the table.
        per: ``tuple`` or ``address``, as in `HopView`.
    """
    source = table.source[chosen].astype(np.uint64)
    keys: Array
    if per == "tuple":
        # Within a hop the upper halves of both addresses are fixed, so 48 bits name the group.
        keys = (
            ((source & np.uint64(0xFFFF)) << np.uint64(32))
            | ((table.destination[chosen].astype(np.uint64) & np.uint64(0xFFFF)) << np.uint64(16))
            | table.dport[chosen].astype(np.uint64)
        )
    else:
        keys = source & np.uint64(0xFFFF)
    unique, inverse = np.unique(keys, return_inverse=True)
    state = table.state[chosen]
    size = len(unique)
    return _Groups(
        keys=unique,
        in_use=np.bincount(inverse, minlength=size),
        established=np.bincount(inverse[state == ESTABLISHED], minlength=size),
        time_wait=np.bincount(inverse[state == TIME_WAIT], minlength=size),
    )


def _keep_once(table: SocketTable, chosen: Array) -> None:
    """Leave out, in place, what the dump saw twice.

    A dump takes time. A connection that closes meanwhile may be seen established and then, in a
    part of the table read later, in TIME_WAIT; it is one tuple all the same.
    """
    at = np.flatnonzero(chosen)
    keys = (
        ((table.source[at].astype(np.uint64) & np.uint64(0xFFFF)) << np.uint64(48))
        | ((table.destination[at].astype(np.uint64) & np.uint64(0xFFFF)) << np.uint64(32))
        | (table.sport[at].astype(np.uint64) << np.uint64(16))
        | table.dport[at].astype(np.uint64)
    )
    _, first = np.unique(keys, return_index=True)
    if len(first) < len(at):
        chosen[at] = False
        chosen[at[first]] = True


def _accept_side(table: SocketTable, chosen: Array) -> dict[str, int]:
    """The accepting ends by state, without those that are established."""
    states = HopCounter.states(table, chosen)
    return {name: number for name, number in states.items() if name != "established"}


class HopCounter:
    """One hop's tuples over time; remembers which local ports were ever seen."""

    def __init__(self, view: HopView) -> None:
        self.view = view
        self._ports = PortRange(view.port_first, view.port_last)
        self._seen = np.zeros(65536, dtype=bool)
        self._distinct = 0

    def count(self, table: SocketTable) -> dict[str, Any]:
        """What one sample says of this hop (docs/records.md, ``samples.jsonl``)."""
        view = self.view
        prefix = np.uint32(view.destination_prefix)
        far, near = table.destination >> np.uint32(16), table.source >> np.uint32(16)
        bound = table.state == BOUND
        connecting = (far == prefix) & (table.dport != 0) & ~bound
        # Established ends that accepted are left out: they are as many as those that connected,
        # and to read them too would cost as much again.
        accepting = (near == prefix) & (table.state != LISTEN) & (table.state != ESTABLISHED)
        accepting &= ~bound
        if view.listen_first:
            connecting &= (near == np.uint32(view.source_prefix)) & self._is_service(table.dport)
            accepting &= self._is_service(table.sport) & ~connecting
        if view.counts_bound:
            connecting |= bound & (near == np.uint32(view.source_prefix))
        waited = _TIME_WAIT_MS - table.timer_ms.astype(np.int64)
        recyclable = connecting & (table.state == TIME_WAIT) & (waited >= view.blocking_ms)
        self._seen[table.sport[connecting]] = True
        connecting &= ~recyclable
        _keep_once(table, connecting)
        groups = group_tuples(table, connecting, view.per)
        distinct = int(self._seen.sum())
        new, self._distinct = distinct - self._distinct, distinct
        return {
            "groups": len(groups.keys),
            "budget": self.view.budget,
            "in_use": int(groups.in_use.sum()),
            "recyclable": int(recyclable.sum()),
            **self.states(table, connecting),
            "worst": self._worst(table, connecting, groups),
            "accept_side": _accept_side(table, accepting),
            "new_ports": new,
            "distinct_ports": distinct,
            "ports": self._space(table, connecting),
        }

    def _space(self, table: SocketTable, chosen: Array) -> dict[str, Any]:
        """Which ports of the range the chosen sockets hold."""
        port, state = table.sport[chosen], table.state[chosen]
        established, waiting = state == ESTABLISHED, state == TIME_WAIT
        held = {
            "established": port[established],
            "time_wait": port[waiting],
            "other": port[~established & ~waiting],
        }
        return space(self._ports, held)

    def _is_service(self, ports: Array) -> Array:
        """Which ports, shape (sockets,), are listened on where both ends share an address."""
        found: Array = (ports >= self.view.listen_first) & (ports <= self.view.listen_last)
        return found

    @staticmethod
    def states(table: SocketTable, chosen: Array) -> dict[str, int]:
        """How many of the chosen sockets are in which state."""
        state = table.state[chosen]
        established = int((state == ESTABLISHED).sum())
        waiting = int((state == TIME_WAIT).sum())
        return {
            "established": established,
            "time_wait": waiting,
            "other": len(state) - established - waiting,
            # Part of `other`: ends of connections that one side closed and the other did not.
            "fin_wait": int(np.isin(state, FIN_WAIT).sum()),
            "close_wait": int((state == CLOSE_WAIT).sum()),
        }

    def _worst(self, table: SocketTable, chosen: Array, groups: _Groups) -> dict[str, Any] | None:
        if not len(groups.keys):
            return None
        at = int(groups.in_use.argmax())
        key = int(groups.keys[at])
        prefix = self.view.destination_prefix << 16
        source_prefix = int(table.source[chosen][0]) & 0xFFFF0000
        destination = None
        source = source_prefix | key
        if self.view.per == "tuple":
            source = source_prefix | key >> 32
            destination = f"{dotted(prefix | (key >> 16 & 0xFFFF))}:{key & 0xFFFF}"
        in_use, established, waiting = (
            int(column[at]) for column in (groups.in_use, groups.established, groups.time_wait)
        )
        return {
            "source": dotted(source),
            "destination": destination,
            "in_use": in_use,
            "established": established,
            "time_wait": waiting,
            "other": in_use - established - waiting,
        }


class Sampler(Role):
    """The role that reads the socket table."""

    kind = "sampler"

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        sock: socket.socket,
        index: int,
        settings: SamplerRole,
    ) -> None:
        super().__init__(loop, sock, index)
        self._asked_ns = settings.every_ns
        self._every_ns = settings.every_ns
        self._hops = [HopCounter(view) for view in settings.hops]
        self._diag = SocketDiag()
        self._before = read_counters()
        self._next_ns = 0
        self._timer: asyncio.TimerHandle | None = None
        self._samples = 0
        self._under_way: Iterator[None] | None = None
        self._toward = tuple({view.destination_prefix: None for view in settings.hops})
        bound = any(view.counts_bound for view in settings.hops)
        self._states = WITH_BOUND if bound else ALL_STATES

    async def prepare(self) -> Message:
        """Take one sample for nothing, so that the first real one pays no first-use cost."""
        table = self._diag.dump(self._states)
        for hop in self._hops:
            hop.count(table)
        return {"sockets": len(table)}

    def on_start(self) -> None:
        """Sample at the start and then at every multiple of the interval."""
        self._next_ns = self.t0_ns
        self._schedule()

    def _schedule(self) -> None:
        now = monotonic_ns()
        while self._next_ns <= now:
            self._next_ns += self._every_ns
        self._timer = self.loop.call_later((self._next_ns - now) / 1e9, self._sample)

    def _sample(self) -> None:
        self._under_way = self._steps()
        self._go_on()

    def _go_on(self) -> None:
        """Read on for a moment; a large table takes seconds, and the role must go on reporting."""
        assert self._under_way is not None, "only while a sample is under way"
        until = monotonic_ns() + _STRETCH_NS
        for _ in self._under_way:
            if monotonic_ns() >= until:
                self._timer = self.loop.call_later(0, self._go_on)
                return
        self._under_way = None
        self._schedule()

    def take(self) -> None:
        """Read the table once and send what it says, however long that takes."""
        for _ in self._steps():
            pass

    def _steps(self) -> Iterator[None]:
        """One sample, in steps of about a millisecond."""
        begin = monotonic_ns()
        cpu = process_time_ns()
        table = yield from self._diag.dump_in_steps(self._states, self._toward)
        if not table.complete:  # once again; a table in motion may stay torn
            table = yield from self._diag.dump_in_steps(self._states, self._toward)
        hops = {hop.view.name: hop.count(table) for hop in self._hops}
        counters = read_counters()
        cost = process_time_ns() - cpu
        self._samples += 1
        self.channel.send(
            {
                "is": "sample",
                # The dump reads the table over a stretch of time; its middle is the best label.
                "t_ns": (begin + monotonic_ns()) // 2 - self.t0_ns,
                "cost_ns": monotonic_ns() - begin,
                "cpu_ns": cost,
                "every_ns": self._every_ns,
                "sockets": len(table),
                "complete": table.complete,
                "tw": read_time_wait_count(),
                "hops": hops,
                "counters": {
                    name: value - self._before.get(name, 0) for name, value in counters.items()
                },
            }
        )
        self._pace(cost)

    def _pace(self, cost_ns: int) -> None:
        """Stretch the interval while sampling costs more than its share; shrink it back after."""
        needed = int(cost_ns / CORE_SHARE)
        if needed > self._every_ns:
            self._every_ns = min(_LONGEST_NS, max(needed, self._every_ns))
        elif self._every_ns > self._asked_ns and needed < self._every_ns // 2:
            self._every_ns = max(self._asked_ns, self._every_ns // 2)

    def on_quit(self) -> Message:
        """One last sample, so that counters and peaks include the end."""
        if self._timer is not None:
            self._timer.cancel()
        if self._under_way is not None:
            for _ in self._under_way:  # what was asked of the kernel has to be read
                pass
        if self.t0_ns:
            self.take()
        self._diag.close()
        return {"samples": self._samples}

    def counters(self) -> Message:
        """Samples taken so far."""
        return {"samples": self._samples, "fds": 0}
