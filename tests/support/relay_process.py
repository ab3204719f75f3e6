"""A relay in a process of its own, as in a run, told what to do over a pipe."""

from __future__ import annotations

import asyncio
import resource
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from simulator.balancing.policies.select import select_load, select_policy
from simulator.kernel.sockets import open_listener
from simulator.live.compiled.relay import CompiledRelay
from simulator.live.ejecting import EjectingRelay
from simulator.live.governed import GovernedRelay
from simulator.live.port_modes import Mode, new_dialer
from simulator.live.relay import Relay, RelaySettings
from simulator.ports.range import PortRange
from simulator.seeds import pure_random
from tests.support.namespace import LOOPS, Child

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

    from simulator.live.care import CareSettings

FRONT = "127.2.0.1"
#: Whether the data path of plain relays is machine code, where a plan does not say.
compiled_by_default = False


@dataclass(frozen=True, kw_only=True)
class RelayPlan:
    """What relay to start."""

    loop: str
    backends: tuple[tuple[str, int], ...]
    policy: str = "round-robin"
    mode: Mode = "userspace"
    sources: tuple[str, ...] = ("127.2.1.1", "127.2.1.2")
    ports: PortRange = field(default_factory=lambda: PortRange(20_000, 60_000))
    settings: RelaySettings = field(default_factory=RelaySettings)
    seed: int = 1
    backlog: int = 4096
    descriptors: int | None = None  # limit of the process
    care: CareSettings | None = None  # what to do for backends; None = the plain relay
    key: str = ""  # what a client's key is made of
    compiled: bool = field(default_factory=lambda: compiled_by_default)  # the plain relay only


def build_relay(loop: asyncio.AbstractEventLoop, plan: RelayPlan) -> tuple[Relay, int]:
    """A relay that accepts, and the port it listens on."""
    listener = open_listener(FRONT, 0, backlog=plan.backlog)
    port = int(listener.getsockname()[1])
    dialer = new_dialer(
        plan.mode, plan.sources, plan.ports, generator=pure_random(plan.seed, "ports")
    )
    policy = select_policy(plan.policy, 2, pure_random(plan.seed, "policy"))
    load = select_load(plan.policy)
    if plan.care is None:
        data_path = CompiledRelay if plan.compiled else Relay
        relay = data_path(loop, listener, dialer, policy, load, plan.settings)
    else:
        kind = EjectingRelay if plan.care.eject_silence_ns else GovernedRelay
        relay = kind(
            loop,
            listener,
            dialer,
            policy,
            load,
            plan.settings,
            care=plan.care,
            generator=pure_random(plan.seed, "care"),
            key=plan.key,
        )
    for backend, endpoint in enumerate(plan.backends):
        relay.insert(backend, *endpoint)
    relay.start()
    return relay, port


def open_descriptors() -> int:
    """How many descriptors this process has open."""
    return len(list(Path("/proc/self/fd").iterdir()))


def resident_bytes() -> int:
    """Memory of this process that is in use, in bytes."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


class RelayProcess:
    """Started in the namespace of its maker; use it as a context."""

    def __init__(self, plan: RelayPlan) -> None:
        self._child = Child(lambda pipe: _serve(pipe, plan), alarm_s=100)
        port: int = self._child.receive()
        self.front = (FRONT, port)

    def ask(self, what: str, *args: object) -> Any:  # noqa: ANN401 - as the method asked
        """Call a method of the relay (or read a property) and return its result."""
        self._child.pipe.send((what, args))
        return self._child.receive()

    def __enter__(self) -> RelayProcess:
        return self

    def __exit__(self, *_: object) -> None:
        self._child.pipe.send(("quit", ()))
        self._child.receive()
        self._child.join()


def _serve(pipe: Connection, plan: RelayPlan) -> None:
    if plan.descriptors is not None:
        resource.setrlimit(resource.RLIMIT_NOFILE, (plan.descriptors, plan.descriptors))

    async def main() -> None:
        loop = asyncio.get_running_loop()
        relay, port = build_relay(loop, plan)
        finished = loop.create_future()

        def obey() -> None:
            try:
                what, args = pipe.recv()
            except EOFError:  # the test is over, however it ended
                what, args = "quit", ()
                loop.remove_reader(pipe.fileno())
            if what == "quit":
                finished.set_result(None)
            elif what in ("descriptors", "resident"):
                pipe.send(("ok", open_descriptors() if what == "descriptors" else resident_bytes()))
            else:
                found = getattr(relay, what)
                pipe.send(("ok", found(*args) if callable(found) else found))

        loop.add_reader(pipe.fileno(), obey)
        pipe.send(("ok", port))
        await finished
        loop.remove_reader(pipe.fileno())
        relay.close()

    with asyncio.Runner(loop_factory=LOOPS[plan.loop]) as runner:
        runner.run(main())
