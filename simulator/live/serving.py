"""Backends and a balancer in the foreground, without traffic of our own (`portchurn serve`).

The same crew as in a run, less the load generator and the sampler: whoever wants to judge the relay
brings a client. In a private namespace only a client that enters it can reach the front; on the
host's network the front is a port of the host's loopback, and nothing of the host is changed.
"""

from __future__ import annotations

import asyncio
import shutil
import socket
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from simulator.clock import monotonic_ns
from simulator.errors import Refused, RunFailed
from simulator.kernel.leftovers import make_temp_folder
from simulator.kernel.sysctls import refuse_what_is_missing
from simulator.live.casting import cast
from simulator.live.roster import QUIT_WITHIN_S, Member, Roster
from simulator.live.settings import BalancerRole, CrewSettings
from simulator.preflight.places import FRONT

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from simulator.live.channel import Message
    from simulator.scenario.schema import Scenario

READY_WITHIN_S: Final = 20.0
_LOOPBACK: Final = "127.0.0.1"
#: Connections that the table of a private namespace has room for.
_ROOM: Final = 100_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoints:
    """Where everything is, once it is there.

    Attributes:
        front: address and port of the balancer.
        backends: id, address and port of each backend.
        pids: process of each role, by name.
        enter: the command that begins one in the same network namespace; empty on the host's.
    """

    front: tuple[str, int]
    backends: tuple[tuple[int, str, int], ...]
    pids: dict[str, int]
    enter: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """As it is printed."""
        return {
            "front": {"address": self.front[0], "port": self.front[1]},
            "backends": [
                {"id": number, "address": address, "port": port}
                for number, address, port in self.backends
            ],
            "pids": self.pids,
            "enter": list(self.enter),
        }


class Serving:
    """A crew that serves until it is told to stop; use it as an asynchronous context.

    Args:
        scenario: its backends and its balancer; traffic is left out.
        host_network: whether the front is on the host's loopback.
        port: of the front on the host's loopback; 0 lets the kernel pick one.
        to: servers that already run, instead of backends; only on the host's network.
        loop: ``uvloop`` or ``asyncio``, for every role.

    Attributes:
        counters: what each balancer worker counted, by its name, at its last word.
    """

    def __init__(
        self,
        scenario: Scenario,
        *,
        host_network: bool = False,
        port: int = 0,
        to: Sequence[tuple[str, int]] = (),
        loop: str = "uvloop",
    ) -> None:
        if to:
            backends = scenario.backends.model_copy(update={"count": len(to), "refusing": 0})
            scenario = scenario.model_copy(update={"backends": backends})
        self.counters: dict[str, Message] = {}
        self._scenario = scenario
        self._host_network = host_network
        self._port = port
        self._to = tuple((number, *endpoint) for number, endpoint in enumerate(to))
        self._loop = loop
        self._folder = make_temp_folder()
        self._holder: socket.socket | None = None
        self._roster: Roster | None = None

    async def __aenter__(self) -> Serving:
        return self

    async def __aexit__(self, *_: object) -> None:
        try:
            if self._roster is not None:
                await self._quit(self._roster)
        finally:
            if self._holder is not None:
                self._holder.close()
            shutil.rmtree(self._folder)

    async def start(self) -> Endpoints:
        """Start everything; all of it serves when this returns.

        Raises:
            Refused: this machine does not allow it, or the port is taken.
            RunFailed: a role broke.
        """
        if not self._host_network:
            refuse_what_is_missing(self._scenario.kernel)
        front = self._hold_front() if self._host_network else FRONT
        settings = self._settings(front)
        self._roster = roster = Roster(settings, self._folder, self)
        roster.start()
        await self._expect(lambda one: one.ready is not None)
        if not await roster.wait_until(lambda: roster.started is not None, READY_WITHIN_S):
            raise RunFailed("The crew's PID 1 did not say how it runs.")
        backends = self._to or tuple(
            (backend, address, port)
            for member in roster.of("backend")
            for backend, address, port, *_ in (member.ready or {})["leases"]
        )
        insert = [list(one) for one in sorted(backends)]
        balancers = roster.of("balancer")
        roster.tell(balancers, {"do": "membership", "insert": insert, "remove": []})
        await self._expect(lambda one: one.members is not None or one not in balancers)
        roster.tell(roster.members, {"do": "start", "t0_ns": monotonic_ns()})
        return Endpoints(
            front=front,
            backends=tuple(sorted(backends)),
            pids={one.name: int((one.ready or {})["pid"]) for one in roster.members},
            enter=self._enter(),
        )

    async def serve(self, stop: asyncio.Event) -> None:
        """Until told to stop.

        Raises:
            RunFailed: a role ended or broke.
        """
        assert self._roster is not None
        while not stop.is_set():
            self._roster.check()
            lost = [one.name for one in self._roster.members if one.is_lost]
            if lost:
                raise RunFailed(f"Ended while it served: {', '.join(lost)}.")
            try:
                async with asyncio.timeout(0.2):
                    await stop.wait()
            except TimeoutError:
                continue

    # What the roster tells its listener.

    def heard(self, member: Member, word: str, head: Message, tail: bytes) -> None:
        """Keep the last counters; rows of dials and refusals are for runs."""
        if word == "tick" and member.spec.kind == "balancer":
            self.counters[member.name] = head

    def lost(self, member: Member) -> None:
        """`serve` looks for that itself."""

    # Parts.

    def _hold_front(self) -> tuple[str, int]:
        """Take the front's port by binding it, for as long as this lives; workers share it."""
        holder = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self._holder = holder
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        try:
            holder.bind((_LOOPBACK, self._port))
        except OSError as error:
            raise Refused(
                f"Port {self._port} of {_LOOPBACK} cannot be had ({error.strerror}); "
                "name another, or let the kernel pick with --port 0."
            ) from error
        return (_LOOPBACK, int(holder.getsockname()[1]))

    def _settings(self, front: tuple[str, int]) -> CrewSettings:
        settings = cast(self._scenario, self._folder, _ROOM, self._loop)
        wanted = {"balancer"} if self._to else {"balancer", "backend"}
        roles = tuple(
            replace(
                role,
                settings=replace(role.settings, front=front, reuse_port=True)
                if isinstance(role.settings, BalancerRole) and self._host_network
                else role.settings,
            )
            for role in settings.roles
            if role.kind in wanted
        )
        return replace(settings, roles=roles, host_network=self._host_network)

    def _enter(self) -> tuple[str, ...]:
        assert self._roster is not None
        assert self._roster.started is not None
        if self._host_network:
            return ()
        user = ("--user", "--preserve-credentials") * (self._roster.started["mode"] == "user")
        return ("nsenter", "--target", str(self._roster.started["init"]), *user, "--net")

    async def _expect(self, has_said: Callable[[Member], bool]) -> None:
        roster = self._roster
        assert roster is not None

        def settled() -> bool:
            return any(one.is_lost for one in roster.members) or all(map(has_said, roster.members))

        await roster.wait_until(settled, READY_WITHIN_S)
        missing = [one.name for one in roster.members if one.is_lost or not has_said(one)]
        if missing:
            raise RunFailed(f"Not ready: {', '.join(missing)}.\n{roster.log_tail()}".strip())

    async def _quit(self, roster: Roster) -> None:
        """The balancer first, then backends, then everything."""
        try:
            for kind in ("balancer", "backend"):
                asked = [one for one in roster.of(kind) if one.is_expected]
                roster.tell(asked, {"do": "quit"})
                await roster.wait_until(
                    lambda asked=asked: not any(one.is_expected for one in asked),  # type: ignore[misc]
                    QUIT_WITHIN_S,
                )
        finally:
            await roster.end()
