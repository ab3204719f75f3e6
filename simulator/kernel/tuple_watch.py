"""Looks at a live host's outgoing connections: what is in use toward each destination, how fast.

An end is outgoing when its local port lies in the ephemeral range and nobody listens on that port;
connect() never takes a listener's port, so among ports that the kernel picked this is exact. What a
program bound to a port outside the range takes nothing from the budget, and is left out.

Only reads: sock_diag and /proc/sys of the namespace this process is in.

Source: Linux net/ipv4/inet_hashtables.c (__inet_hash_connect); include/net/tcp.h.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from simulator.clock import monotonic_ns
from simulator.kernel.host_ports import HostPorts, read_host_ports
from simulator.kernel.sockdiag import ESTABLISHED, LISTEN, TIME_WAIT
from simulator.kernel.tuple_table import TupleTable, address_text, read_tuple_table
from simulator.ports.budget import ports_within
from simulator.ports.watched import Destination, Look
from simulator.theory.time_to_wall import time_to_wall_s
from simulator.units import NS_PER_S

if TYPE_CHECKING:
    from collections.abc import Callable

#: TCP_TIMEWAIT_LEN (include/net/tcp.h).
_TIME_WAIT_S: Final = 60.0
#: The upper bytes of 127.0.0.0/8 in its mapped form.
_LOOPBACK: Final = np.uint64(0xFFFF << 8 | 127)
#: A TIME_WAIT that ends later than it would have by this is another one. Ends are known to a tick
#: of the kernel and the time a dump takes; a tuple is taken over after tcp_tw_reuse_delay.
_LATER_S: Final = 0.2
#: Rates are means over so many looks: one alone is as jumpy as arrivals are.
_LOOKS: Final = 5
#: Groups beside those shown whose past is kept, so that one that becomes busy has a rate.
_KEPT: Final = 64

Array = np.ndarray[Any, Any]
_Key = tuple[int, int, int, int, int]


@dataclass(frozen=True, slots=True)
class _Members:
    """The rows of a dump that are one group."""

    key: _Key
    rows: Array
    in_use: int


@dataclass(frozen=True, slots=True)
class _Group:
    """One source address toward one destination, as one dump shows it."""

    sports: Array
    live: int
    established: int
    remaining_s: Array
    recyclable: int
    blocked_s: float
    #: Ports in TIME_WAIT, ascending, and when each ends, s on the monotonic clock.
    waiting: Array
    ends_s: Array


@dataclass(frozen=True, slots=True)
class _Step:
    """What happened in a group between two looks."""

    seconds: float
    opened: int
    closed: int
    live_change: int


class TupleWatch:
    """Looks again and again; each look compares with those before it.

    Args:
        top: destinations told in each look.
        read: dumps the table.
        settings: reads the host's settings.
        now_ns: the monotonic clock.
    """

    def __init__(
        self,
        *,
        top: int = 10,
        read: Callable[[], TupleTable] = read_tuple_table,
        settings: Callable[[], HostPorts] = read_host_ports,
        now_ns: Callable[[], int] = monotonic_ns,
    ) -> None:
        self._top = top
        self._read = read
        self._settings = settings
        self._now_ns = now_ns
        self._before: dict[_Key, _Group] = {}
        self._before_ns: int | None = None
        self._steps: dict[_Key, deque[_Step]] = {}

    def look(self) -> Look:
        """Read the table once.

        Raises:
            OSError: netlink failed.
        """
        started_ns = self._now_ns()
        host = self._settings()
        table = self._read()
        # Ages are as of the dump's end, and so is its time, so that no close counts twice.
        now_ns = self._now_ns()
        since_s = 0.0 if self._before_ns is None else (now_ns - self._before_ns) / NS_PER_S
        listening = np.unique(table.sport[table.state == LISTEN])
        found = _outgoing(table, host, listening)
        most = sorted(found, key=lambda each: (-each.in_use, each.key))[: self._top + _KEPT]
        groups = {each.key: _group(table, each, host, now_ns / NS_PER_S) for each in most}
        self._take_note(groups, since_s, now_ns / NS_PER_S)
        budget, reserved, held = _budget(host, listening)
        told = [each.key for each in most[: self._top] if each.in_use]
        self._before, self._before_ns = groups, now_ns
        return Look(
            range_text=str(host.ports),
            budget=budget,
            reserved=reserved,
            listening=held,
            reuse=host.reuse,
            reuse_delay_s=host.reuse_delay_s,
            since_s=since_s,
            busiest=tuple(self._destination(key, groups[key], budget) for key in told),
            destinations=len(found),
            sockets=len(table),
            cost_s=(self._now_ns() - started_ns) / NS_PER_S,
            complete=table.complete,
        )

    def _take_note(self, groups: dict[_Key, _Group], since_s: float, now_s: float) -> None:
        """Add what happened since the look before to each group's past, and forget the gone."""
        steps: dict[_Key, deque[_Step]] = {}
        for key, now in groups.items():
            steps[key] = self._steps.get(key, deque(maxlen=_LOOKS))
            before = self._before.get(key)
            if since_s <= 0:
                continue
            known = before.sports if before else np.empty(0, np.uint16)
            change = now.live - (before.live if before else 0)
            seen = len(np.setdiff1d(now.sports, known, assume_unique=True))
            closed = _closed(now, before, now_s - since_s)
            # A tuple that was taken over from TIME_WAIT has the port it had; its close shows it.
            opened = max(seen, closed + change)
            steps[key].append(
                _Step(seconds=since_s, opened=opened, closed=closed, live_change=change)
            )
        self._steps = steps

    def _destination(self, key: _Key, group: _Group, budget: int) -> Destination:
        steps = self._steps[key]
        seconds = sum(step.seconds for step in steps) or 1.0
        closed_per_s = sum(step.closed for step in steps) / seconds
        return Destination(
            source=address_text(key[0], key[1]),
            destination=address_text(key[2], key[3]),
            port=key[4],
            established=group.established,
            time_wait=len(group.remaining_s),
            other=group.live - group.established,
            recyclable=group.recyclable,
            opened_per_s=sum(step.opened for step in steps) / seconds,
            closed_per_s=closed_per_s,
            wall_s=time_to_wall_s(
                budget=budget,
                open_now=group.live,
                growth_per_s=sum(step.live_change for step in steps) / seconds,
                closing_per_s=closed_per_s,
                blocked_s=group.blocked_s,
                remaining_s=group.remaining_s,
            ),
        )


def _budget(host: HostPorts, listening: Array) -> tuple[int, int, int]:
    """Tuples of one group; how many ports of the range are reserved; how many have a listener."""
    reserved = ports_within(host.ports, host.reserved)
    held = [int(port) for port in listening if int(port) in host.ports]
    taken = sum(not any(port in block for block in host.reserved) for port in held)
    return len(host.ports) - reserved - taken, reserved, len(held)


def _outgoing(table: TupleTable, host: HostPorts, listening: Array) -> list[_Members]:
    """The groups of all outgoing ends; a tuple that a dump saw twice counts once."""
    chosen = np.flatnonzero(
        (table.dport != 0)
        & (table.sport >= host.ports.first)
        & (table.sport <= host.ports.last)
        & ~np.isin(table.sport, listening)
    )
    if not len(chosen):
        return []
    columns = (
        *(table.source[chosen, 0], table.source[chosen, 1]),
        *(table.peer[chosen, 0], table.peer[chosen, 1]),
        *(table.dport[chosen].astype(np.uint64), table.sport[chosen].astype(np.uint64)),
    )
    order = np.lexsort(columns[::-1])
    rows = np.stack([column[order] for column in columns], axis=1)
    differs = rows[1:] != rows[:-1]
    # A connection that closes while it is dumped is seen open and, later, in TIME_WAIT.
    first = np.append(True, differs.any(axis=1))
    rows, chosen = rows[first], chosen[order][first]
    starts = np.flatnonzero(np.append(True, (rows[1:, :5] != rows[:-1, :5]).any(axis=1)))
    in_use = np.add.reduceat(_blocks(table, chosen, host), starts)
    ends = np.append(starts[1:], len(rows))
    return [
        _Members(
            key=(int(row[0]), int(row[1]), int(row[2]), int(row[3]), int(row[4])),
            rows=chosen[start:end],
            in_use=int(count),
        )
        for row, start, end, count in zip(
            rows[starts].tolist(), starts.tolist(), ends.tolist(), in_use, strict=True
        )
    ]


def _blocks(table: TupleTable, chosen: Array, host: HostPorts) -> Array:
    """1 for each end whose tuple the next connection cannot have, else 0."""
    waits = table.state[chosen] == TIME_WAIT
    reused = _reused(table.source[chosen], table.peer[chosen], host)
    held_s = np.where(reused, min(_TIME_WAIT_S, host.reuse_delay_s), _TIME_WAIT_S)
    left_s = table.timer_ms[chosen] / 1000 - (_TIME_WAIT_S - held_s)
    blocking: Array = (~waits | (left_s > 0)).astype(np.int64)
    return blocking


def _reused(source: Array, peer: Array, host: HostPorts) -> Array:
    """Whether tuples with these ends may be taken over out of TIME_WAIT."""
    if host.reuse != 2:
        return np.full(len(source), host.reuse == 1)
    either: Array = _is_loopback(source) | _is_loopback(peer)
    return either


def _is_loopback(halves: Array) -> Array:
    """::1, or 127.0.0.0/8 in its mapped form; shape (n, 2) gives shape (n,)."""
    low = halves[:, 1]
    local: Array = (halves[:, 0] == 0) & ((low == 1) | (low >> np.uint64(24) == _LOOPBACK))
    return local


def _group(table: TupleTable, members: _Members, host: HostPorts, now_s: float) -> _Group:
    rows = members.rows  # by ascending local port
    state = table.state[rows]
    reused = bool(_reused(table.source[rows[:1]], table.peer[rows[:1]], host)[0])
    blocked_s = min(_TIME_WAIT_S, host.reuse_delay_s) if reused else _TIME_WAIT_S
    waits = state == TIME_WAIT
    left_s = table.timer_ms[rows][waits] / 1000
    remaining_s = left_s - (_TIME_WAIT_S - blocked_s)
    return _Group(
        sports=table.sport[rows],
        live=int(np.count_nonzero(~waits)),
        established=int(np.count_nonzero(state == ESTABLISHED)),
        remaining_s=remaining_s[remaining_s > 0],
        recyclable=int(np.count_nonzero(remaining_s <= 0)),
        blocked_s=blocked_s,
        waiting=table.sport[rows][waits],
        ends_s=now_s + left_s,
    )


def _closed(now: _Group, before: _Group | None, before_s: float) -> int:
    """How many tuples went into TIME_WAIT since the look before.

    Those whose port did not wait then, and those that now wait for longer: taken over, and closed
    again. Of a group that was not known, those that began to wait since.
    """
    if before is None:
        return int(np.count_nonzero(now.ends_s - _TIME_WAIT_S > before_s))
    if not len(before.waiting):
        return len(now.waiting)
    at = np.minimum(np.searchsorted(before.waiting, now.waiting), len(before.waiting) - 1)
    same = before.waiting[at] == now.waiting
    again = now.ends_s > before.ends_s[at] + _LATER_S
    return int(np.count_nonzero(~same | again))
