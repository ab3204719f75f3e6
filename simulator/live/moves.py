"""Moves: the conductor lets backends leave and come back as planned, and has it told late.

A move is a message to the backend's process, which closes or opens the listener and says when.
Whoever picks backends is told `balancer.learns_after` after that moment; until then it goes on
dialing the old endpoint, and what it meets there is what is measured. Leases and events are
written with the moments of the process that did it, not of the conductor that heard of it.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

from simulator.clock import monotonic_ns
from simulator.ports.quarantine import Quarantine
from simulator.traffic.churn import plan_moves

if TYPE_CHECKING:
    from collections.abc import Callable

    from simulator.live.channel import Message
    from simulator.live.logbook import Logbook
    from simulator.live.roster import Member, Roster
    from simulator.scenario.schema import Scenario
    from simulator.traffic.churn import Move

#: A backend that finds no port asks again so much later.
_AGAIN_NS: Final = 50_000_000


class Moves:
    """All moves of one run.

    Args:
        scenario: whose moves.
        roster: the crew.
        logbook: where events and leases go.
    """

    def __init__(self, scenario: Scenario, roster: Roster, logbook: Logbook) -> None:
        self._planned = plan_moves(scenario)
        self._roster = roster
        self._logbook = logbook
        self._allocator = scenario.backends.ports
        self._learns_after_ns = scenario.balancer.learns_after
        self._quarantine = Quarantine(scenario.backends.quarantine)
        self._timers: set[asyncio.TimerHandle] = set()
        self._changes: dict[int, tuple[list[list[Any]], list[int]]] = {}
        self._gone: set[int] = set()  # told to leave, and not yet back
        self._home: dict[int, Member] = {}

    def begin(self) -> None:
        """The run starts at the logbook's `t0_ns`: wait for each move's moment."""
        if not self._planned:
            return
        for member in self._roster.of("backend"):
            for backend in getattr(member.spec.settings, "ids", ()):
                self._home[backend] = member
        held = {int(row[0]) for one in self._roster.of("backend") for row in _leases(one)}
        self._gone = set(self._home) - held
        rows = [[one.t_ns, one.backend, one.action, one.how] for one in self._planned]
        self._logbook.event("moves-planned", t_ns=0, moves=rows)
        for move in self._planned:
            self._at(self._logbook.t0_ns + move.t_ns, lambda move=move: self._do(move))  # type: ignore[misc]

    def stop(self) -> None:
        """Nobody moves any more."""
        for timer in self._timers:
            timer.cancel()
        self._timers.clear()

    def _at(self, at_ns: int, call: Callable[[], None]) -> None:
        """Call at a monotonic moment, never before: a loop may round a wait to milliseconds."""

        def run() -> None:
            self._timers.discard(timer)
            if monotonic_ns() < at_ns:
                self._at(at_ns, call)
            else:
                call()

        delay_s = max(0, at_ns - monotonic_ns()) / 1e9
        timer = asyncio.get_running_loop().call_later(delay_s, run)
        self._timers.add(timer)

    def _do(self, move: Move) -> None:
        member = self._home[move.backend]
        if member.is_lost:
            return
        if move.action == "leave":
            self._leave(member, move)
        else:
            self._come_back(member, move.backend)

    def _leave(self, member: Member, move: Move) -> None:
        if move.backend in self._gone:
            return  # it could not come back in time for this, for want of a port
        self._gone.add(move.backend)
        _, address, port, *_ = _lease_of(member, move.backend)
        self._quarantine.leaving(str(address), int(port))
        told = {"do": "leave", "backend": move.backend, "how": move.how}
        self._roster.tell([member], told)

    def _come_back(self, member: Member, backend: int) -> None:
        address = member.spec.settings.addresses[member.spec.settings.ids.index(backend)]  # type: ignore[union-attr]
        resting = self._quarantine.resting(address, monotonic_ns())
        self._roster.tell([member], {"do": "back", "backend": backend, "resting": resting})

    # What the processes say.

    def heard(self, member: Member, word: str, head: Message) -> None:
        """A backend left or is back, or whoever picks them has taken note."""
        if word == "left":
            self._left(member, head)
        elif word == "back":
            self._is_back(member, head)
        elif word == "flap":
            name = "backend-up" if head["listens"] else "backend-down"
            self._logbook.event(name, t_ns=head["t_ns"], backend=head["backend"])
        elif word == "changed":
            insert, remove = self._changes[head["change"]]
            self._logbook.event(
                "membership",
                t_ns=head["t_ns"],
                role=member.spec.kind,
                index=member.spec.index,
                insert=insert,
                remove=remove,
            )

    def _left(self, member: Member, head: Message) -> None:
        backend, at_ns = head["backend"], head["t_ns"]
        _, address, port, *_ = _lease_of(member, backend)
        if head["released_ns"] is not None:
            self._release(member, backend, head["released_ns"])
        self._logbook.event(
            "backend-left",
            t_ns=at_ns - self._logbook.t0_ns,
            backend=backend,
            address=address,
            port=port,
            how=head["how"],
            open=head["open"],
        )
        self._tell_later(at_ns, [], [backend])

    def _release(self, member: Member, backend: int, at_ns: int) -> None:
        row = _lease_of(member, backend)
        _leases(member).remove(row)
        self._quarantine.given_back(row[1], row[2], at_ns)
        self._logbook.lease(row, self._allocator, at_ns - self._logbook.t0_ns)

    def _is_back(self, member: Member, head: Message) -> None:
        backend, row = head["backend"], head["lease"]
        if head["released_ns"] is not None:
            self._release(member, backend, head["released_ns"])
        if row is None:
            told = {key: head[key] for key in ("address", "port", "holder") if key in head}
            at_ns = head["t_ns"] - self._logbook.t0_ns
            self._logbook.event("backend-waits", t_ns=at_ns, backend=backend, **told)
            self._at(head["t_ns"] + _AGAIN_NS, lambda: self._come_back(member, backend))
            return
        self._gone.discard(backend)
        _leases(member).append(row)
        self._logbook.lease(row, self._allocator, None)
        self._logbook.event(
            "backend-back",
            t_ns=head["t_ns"] - self._logbook.t0_ns,
            backend=backend,
            address=row[1],
            port=row[2],
        )
        self._tell_later(head["t_ns"], [row[:3]], [])

    def _tell_later(self, at_ns: int, insert: list[list[Any]], remove: list[int]) -> None:
        change = len(self._changes)
        self._changes[change] = (insert, remove)

        def tell() -> None:
            told = self._roster.of("balancer") or self._roster.of("client")
            message = {"do": "membership", "insert": insert, "remove": remove, "change": change}
            self._roster.tell([one for one in told if one.is_expected], message)

        self._at(at_ns + self._learns_after_ns, tell)


def _leases(member: Member) -> list[list[Any]]:
    """The leases that a backend process holds now; its first word began the list."""
    found: list[list[Any]] = (member.ready or {"leases": []})["leases"]
    return found


def _lease_of(member: Member, backend: int) -> list[Any]:
    return next(row for row in _leases(member) if row[0] == backend)
