"""A DNS resolver as a role of the crew: it asks authoritative servers on behalf of stub clients.

Its questions leave by the sockets of a pool that is bound when it starts and kept until it ends.
All sockets share one epoll descriptor, which is registered with the asyncio loop, as everywhere on
the data path. Every question to a server is a row of dials, with the port that it left from; every
client that got no good answer is a row of refusals, so that measurement names the hop where it
failed and not the one where it was felt.
"""

from __future__ import annotations

import select
from collections import Counter, deque
from ipaddress import IPv4Address
from struct import Struct
from typing import TYPE_CHECKING, Final

from simulator.balancing.membership import Backend, Insert, Membership, Remove
from simulator.balancing.policies.policy import NOBODY
from simulator.balancing.policies.select import select_load, select_policy
from simulator.clock import monotonic_ns
from simulator.dns.message import (
    NO_ERROR,
    NO_SUCH_NAME,
    SERVER_FAILURE,
    Malformed,
    Message,
    decode,
    encode,
    peek_ident,
    with_ident,
)
from simulator.dns.zone import is_forged
from simulator.kernel.datagrams import open_datagram
from simulator.kernel.timer import Timer
from simulator.live.balancers.asking import AllOpen, Ask, OpenAsks
from simulator.live.role import Role
from simulator.live.socket_pool import SocketPool
from simulator.ports.range import PortRange
from simulator.records import DIAL_COLUMNS, REFUSAL_COLUMNS, Call, Ending, Hop, error_name
from simulator.seeds import pure_random

if TYPE_CHECKING:
    import asyncio
    import socket

    from simulator.dns.message import Name
    from simulator.live.balancers.asking import Endpoint
    from simulator.live.channel import Message as Words
    from simulator.live.dns_settings import ResolverRole

_EVENTS_PER_WAKEUP: Final = 256
#: Datagrams read from one socket before others have their turn.
_READS: Final = 64
_DATAGRAM_BYTES: Final = 4096
_HOP: Final = int(Hop.BALANCER_BACKEND)
_dial_row: Final = Struct(f"<{len(DIAL_COLUMNS)}q").pack
_refusal_row: Final = Struct(f"<{len(REFUSAL_COLUMNS)}q").pack


def complaint_of(message: Message) -> int:
    """What is wrong with an answer that was believed, as the laboratory knows; 0 = nothing."""
    if message.truncated:
        return Ending.TRUNCATED
    if message.rcode == NO_SUCH_NAME:
        return Ending.NXDOMAIN
    if message.rcode != NO_ERROR:
        return Ending.SERVFAIL
    return Ending.FORGED if is_forged(message) else 0


def open_front(front: Endpoint) -> socket.socket:
    """Where stub clients ask.

    Raises:
        OSError: somebody else has that port.
    """
    found = open_datagram(*front)
    if found is None:
        raise OSError(f"{front[0]}:{front[1]} is held by somebody else")
    return found


class Resolver(Role):
    """The resolver.

    Args:
        loop: the event loop it lives in.
        sock: its channel to the conductor.
        index: which worker it is; there is one.
        settings: what it is told.
    """

    kind = "balancer"

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        sock: socket.socket,
        index: int,
        settings: ResolverRole,
    ) -> None:
        self._front = open_front(settings.front)
        super().__init__(loop, sock, index)
        self._settings = settings
        self._epoll = select.epoll()
        self._timer = Timer()
        self._pool: SocketPool | None = None
        self._sockets: list[socket.socket] = []
        self._ports: list[int] = []
        self._slot_of: dict[int, int] = {}
        self.asks = OpenAsks(
            settings.pool_size,
            settings.id_bits,
            settings.choice,
            pure_random(settings.seed, "asks"),
        )
        self._policy = select_policy(
            settings.policy, settings.choices, pure_random(settings.seed, "picks")
        )
        self._load = select_load(settings.policy)
        self._members = Membership()
        self._cache: dict[Name, tuple[int, bytes]] = {}  # until when, and an answer
        self._deadlines: deque[tuple[int, Ask, int]] = deque()  # one length, so in order of time
        self._dials, self._refusals = bytearray(), bytearray()
        self._counts: Counter[str] = Counter()
        self._dial_errors: Counter[str] = Counter()
        self._picks: Counter[int] = Counter()

    async def prepare(self) -> Words:
        """Answer from now on; nobody asks before the start."""
        for descriptor in (self._timer.fileno(), self._front.fileno()):
            self._epoll.register(descriptor, select.EPOLLIN)
        self.loop.add_reader(self._epoll.fileno(), self._wake)
        return {}

    def _open_pool(self) -> None:
        """Take the pool's ports and say which, and how many of them the kernel's table shows.

        After everybody who serves from the start has his own: who comes later takes what is left,
        as on a host where the DNS service starts before others.
        """
        settings = self._settings
        self._pool = pool = SocketPool(
            settings.pool_size,
            PortRange(settings.pool_first, settings.pool_last),
            [PortRange(*one) for one in settings.exclude],
            pure_random(settings.seed, "pool"),
        )
        self._sockets, self._ports = pool.sockets, pool.ports
        self._slot_of = {one.fileno(): slot for slot, one in enumerate(self._sockets)}
        for descriptor in self._slot_of:
            self._epoll.register(descriptor, select.EPOLLIN)
        found = {"lost_races": pool.lost_races, "seen_by_kernel": pool.seen_by_kernel()}
        self.channel.send({"is": "pool", "ports": pool.ports, **found})

    def on_message(self, head: Words) -> None:
        """Servers came or went."""
        if head.get("do") != "membership":
            return
        if self._pool is None:
            self._open_pool()
        for backend_id, address, port in head["insert"]:
            backend = Backend(backend_id=backend_id, address=address, port=port)
            self._members.apply(Insert(backend=backend))
            self._load.insert(backend_id)
        for backend_id in head["remove"]:
            self._members.apply(Remove(backend_id=backend_id))
            self._load.remove(backend_id)
        if "change" in head:
            at_ns = monotonic_ns() - self.t0_ns
            self.channel.send({"is": "changed", "change": head["change"], "t_ns": at_ns})
        else:
            self.channel.send({"is": "members", "count": len(head["insert"])})

    def on_tick(self) -> None:
        """Hand over what was recorded since the last tick."""
        for stream, rows in (("dials", self._dials), ("refusals", self._refusals)):
            if rows:
                self.channel.send({"is": stream}, bytes(rows))
                rows.clear()

    def on_quit(self) -> Words:
        """Close everything; questions that are open stay without an answer."""
        active = len(self.asks)
        self.loop.remove_reader(self._epoll.fileno())
        self._front.close()
        if self._pool is not None:
            self._pool.close()
        self._epoll.close()
        self._timer.close()
        return {"active": active}

    def counters(self) -> Words:
        """Cumulative counters; `dns` has those of questions and answers."""
        asks = self.asks
        names = ("asked", "answered", "retries", "timeouts", "cached", "malformed")
        return {
            "accepted": self._counts["accepted"],
            "active": len(asks),
            "dialed": self._counts["asked"],
            "dial_errors": dict(self._dial_errors),
            "retries": self._counts["retries"],
            "refused": self._counts["refused"],
            "picks": {str(backend): number for backend, number in self._picks.items()},
            "fds": len(self._slot_of) + 1,
            "dns": {
                **{name: self._counts[name] for name in names},
                **{f"refused_{why}": asks.refused[why] for why in ("id", "address", "question")},
                "refused_malformed": asks.refused["malformed"],
                "forged": asks.forged,
                "forged_believed": asks.forged_believed,
                "windows": asks.windows,
                "forged_within": asks.forged_within,
            },
        }

    # The reactor.

    def _wake(self) -> None:
        front = self._front.fileno()
        for descriptor, _ in self._epoll.poll(0, _EVENTS_PER_WAKEUP):
            slot = self._slot_of.get(descriptor)
            if slot is not None:
                self._read_answers(slot)
            elif descriptor == front:
                self._read_questions()
            else:
                self._timer.acknowledge()
        self._time_out()
        self._timer.set(self._deadlines[0][0] if self._deadlines else None)

    def _read_questions(self) -> None:
        for _ in range(_READS):
            try:
                data, client = self._front.recvfrom(_DATAGRAM_BYTES)
            except OSError:
                return
            self._counts["accepted"] += 1
            try:
                message = decode(data)
            except Malformed:
                self._counts["malformed"] += 1
                continue
            if message.is_answer:
                self._counts["malformed"] += 1
                continue
            name = tuple(label.lower() for label in message.name)
            ask = Ask(client=client, data=data, name=name, accepted_ns=monotonic_ns())
            if not self._answer_from_cache(ask):
                self._ask(ask)

    def _answer_from_cache(self, ask: Ask) -> bool:
        until_ns, data = self._cache.get(ask.name, (0, b""))
        if until_ns <= ask.accepted_ns:
            return False
        self._counts["cached"] += 1
        self._pass_on(ask, data, decode(data))
        return True

    def _ask(self, ask: Ask) -> None:
        """Ask a server that may be picked, from a socket of the pool and under an ID of its own."""
        backend = self._policy.pick(self._members.eligible, self._load, ())
        if backend == NOBODY:
            self._refuse(ask, Call.PICK, Ending.NO_BACKEND)
            return
        try:
            slot, ident = self.asks.begin(ask)
        except AllOpen:
            self._refuse(ask, Call.PICK, Ending.NO_PORT)
            return
        server = self._members.backends[backend]
        ask.backend, ask.server = backend, (server.address, server.port)
        ask.tries += 1
        self._load.opened(backend)
        self._picks[backend] += 1
        self._counts["asked"] += 1
        begin, error = monotonic_ns(), 0
        try:
            self._sockets[slot].sendto(with_ident(ask.data, ident), ask.server)
        except OSError as failure:
            error = failure.errno or 0
            self._dial_errors[f"send/{error_name(error)}"] += 1
        now = monotonic_ns()
        self._dials += _dial_row(
            *(now - self.t0_ns, now - begin, backend, 0, self._ports[slot]),
            *(error, int(Call.SEND) if error else 0),
        )
        # What could not be sent is waited for as what was lost on the way.
        self._deadlines.append((now + self._settings.timeout_ns, ask, ask.key))

    def _read_answers(self, slot: int) -> None:
        sock = self._sockets[slot]
        for _ in range(_READS):
            try:
                data, peer = sock.recvfrom(_DATAGRAM_BYTES)
            except OSError:
                return
            found = self.asks.answered(slot, data, peer)
            if found is None:
                continue
            ask, message = found
            self._load.closed(ask.backend)
            self._counts["answered"] += 1
            if self._settings.cache_ns and message.rcode == NO_ERROR and not message.truncated:
                self._cache[ask.name] = (monotonic_ns() + self._settings.cache_ns, data)
            self._pass_on(ask, data, message)

    def _time_out(self) -> None:
        now = monotonic_ns()
        while self._deadlines and self._deadlines[0][0] <= now:
            _, ask, key = self._deadlines.popleft()
            if ask.key != key or not self.asks.give_up(ask, key):
                continue
            self._load.closed(ask.backend)
            self._counts["timeouts"] += 1
            if ask.tries > self._settings.retries:
                self._refuse(ask, Call.RECV, Ending.TIMEOUT)
            else:
                self._counts["retries"] += 1
                self._ask(ask)

    # What clients are told.

    def _pass_on(self, ask: Ask, data: bytes, message: Message) -> None:
        wrong = complaint_of(message)
        if wrong:
            self._note_refusal(ask, Call.RECV, wrong)
        self._tell(ask, with_ident(data, peek_ident(ask.data)))

    def _refuse(self, ask: Ask, call: Call, error: int) -> None:
        self._counts["refused"] += 1
        self._note_refusal(ask, call, error)
        answer = Message(
            ident=peek_ident(ask.data), name=ask.name, is_answer=True, rcode=SERVER_FAILURE
        )
        self._tell(ask, encode(answer))

    def _note_refusal(self, ask: Ask, call: Call, error: int) -> None:
        address, port = ask.client
        t0_ns = self.t0_ns
        self._refusals += _refusal_row(
            *(monotonic_ns() - t0_ns, ask.accepted_ns - t0_ns),
            *(int(IPv4Address(address)), port, int(call), int(error), _HOP, ask.backend),
        )

    def _tell(self, ask: Ask, data: bytes) -> None:
        try:
            self._front.sendto(data, ask.client)
        except OSError as failure:
            self._dial_errors[f"send/{error_name(failure.errno or 0)}"] += 1
