"""The crew: the processes of one run, alone in their namespaces, under a PID 1 of our own.

Started as ``python -m simulator.live.crew CONTROL_FD ROLE_FD...``. The first process enters the
namespaces and waits; its only child is PID 1 in there, which writes the settings, forks one
process for each role and reaps them. Everything a run creates lives below that PID 1:

* the conductor dies  -> the kernel kills the waiting process (parent-death signal)
* that one dies       -> the kernel kills PID 1 (parent-death signal; an alive-pipe covers the gap
  between fork and prctl)
* PID 1 dies          -> the kernel kills every process of the namespace, and with the last one the
  network namespace goes, with all its sockets and settings.

So `kill -9` of any of them leaves nothing. Roles are forked, not started anew: they share the
imported modules and the mapped ledger, and rights are given up once, before the first of them.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import os
import select
import signal
import socket
import sys
import traceback
from collections import deque
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NoReturn

from simulator.errors import EXIT_INTERNAL, EXIT_OK, Refused
from simulator.kernel import namespace, sysctls
from simulator.live.channel import ChannelBroken, Decoder, Message, encode
from simulator.live.dns_settings import ForgerRole, ResolverRole
from simulator.live.driver_settings import DriverRole
from simulator.live.kinds import client_for, import_spoken, servers_for
from simulator.live.raw_share import keep_raw, take_raw
from simulator.live.settings import (
    BackendRole,
    BalancerRole,
    ClientRole,
    CrewSettings,
    RoleSpec,
    SamplerRole,
    SidecarRole,
)
from simulator.live.shared_ports import keep_only, take_shared_ports

if TYPE_CHECKING:
    import asyncio

    from simulator.live.ledger import Ledger
    from simulator.live.role import Role
    from simulator.live.shared_ports import Share

_POLL_MS: Final = 1000
#: How a crew runs that was asked to stay on the host's network (`portchurn serve`).
HOST: Final = "host"
_ROLE_MODULES: Final = {
    "backend": "simulator.live.backend",
    "balancer": "simulator.live.balancers.own",
    "sidecar": "simulator.live.balancers.sidecar",
    "client": "simulator.live.client",
    "haproxy": "simulator.live.balancers.haproxy",
    "nginx": "simulator.live.balancers.nginx",
    "resolver": "simulator.live.balancers.resolver",
    "forger": "simulator.live.forger",
    "sampler": "simulator.live.sampler",
}


_COMPILED: Final = "simulator.live.compiled.relay"


class _Control:
    """The blocking end of the control channel, before and beside any event loop."""

    def __init__(self, descriptor: int) -> None:
        self.sock = socket.socket(fileno=descriptor)
        self._decoder = Decoder()
        self._waiting: deque[Message] = deque()  # came in one read with the one before

    def receive(self) -> Message:
        """Wait for the next message.

        Raises:
            ConnectionError: the conductor is gone.
            ChannelBroken: it does not speak in frames.
        """
        while not self._waiting:
            self._read()
        return self._waiting.popleft()

    def waiting(self, *, read: bool) -> list[Message]:
        """Messages that have come, without waiting for the rest of one that has begun.

        Args:
            read: whether there is something to read, as poll() said.

        Raises:
            ConnectionError: the conductor is gone.
            ChannelBroken: it does not speak in frames.
        """
        if read:
            self._read()
        found = list(self._waiting)
        self._waiting.clear()
        return found

    def _read(self) -> None:
        data = self.sock.recv(1 << 18)
        if not data:
            raise ConnectionError("the conductor is gone")
        self._waiting.extend(head for head, _tail in self._decoder.feed(data))

    def send(self, head: Message) -> None:
        """Send one message whole."""
        self.sock.sendall(encode(head))


def main(arguments: list[str]) -> int:
    """Enter the namespaces, become the parent of PID 1, and wait for its end."""
    control = _Control(int(arguments[0]))
    role_sockets = [int(text) for text in arguments[1:]]
    namespace.die_with_parent()
    try:
        first = control.receive()
        settings = CrewSettings.from_json(first["crew"])
        mode = HOST
        if not settings.host_network:
            mode = namespace.enter_namespaces(pid=True, hash_entries=settings.hash_entries)
    except Refused as refusal:
        control.send({"is": "refused", "message": str(refusal)})
        return EXIT_INTERNAL
    except (ConnectionError, ChannelBroken) as error:
        print(f"the crew was not told what to do: {error}", file=sys.stderr)  # noqa: T201
        return EXIT_INTERNAL
    namespace.die_with_parent()  # new credentials may have cleared it
    if os.getppid() != first["conductor"]:
        return EXIT_INTERNAL  # it died before the parent-death signal was set
    alive_read, alive_write = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(alive_write)
        _as_init(control, role_sockets, alive_read, settings, mode)
    os.close(alive_read)
    control.sock.close()
    for descriptor in role_sockets:
        os.close(descriptor)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # the conductor decides when a run ends
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status)


def _as_init(
    control: _Control, role_sockets: list[int], alive: int, settings: CrewSettings, mode: str
) -> NoReturn:
    """PID 1 of the namespace: prepare, fork the roles, reap until the end."""
    code = EXIT_OK
    try:
        namespace.die_with_parent()
        if select.select([alive], [], [], 0)[0]:
            os._exit(EXIT_INTERNAL)
        pids = _start_roles(control, role_sockets, settings, mode)
        _reap(control, alive, pids)
    except Refused as refusal:
        with contextlib.suppress(OSError):
            control.send({"is": "refused", "message": str(refusal)})
        code = EXIT_INTERNAL
    except ConnectionError:
        code = EXIT_INTERNAL
    except Exception:  # noqa: BLE001 - told to the conductor whole, which ends the run
        with contextlib.suppress(OSError):  # nobody may be left to be told
            control.send({"is": "failed", "traceback": traceback.format_exc()})
        code = EXIT_INTERNAL
    finally:
        os._exit(code)  # never back into what the first process was doing


def _start_roles(
    control: _Control, role_sockets: list[int], settings: CrewSettings, mode: str
) -> dict[int, RoleSpec]:
    if mode != HOST:  # the host's settings are never touched
        sysctls.write_settings(settings.sysctls)
    wrong = [] if mode == HOST else sysctls.differences(settings.sysctls)
    if wrong:
        raise Refused("The kernel did not keep these settings:\n  " + "\n  ".join(wrong))
    found = sysctls.read_settings()
    ledger = _open_ledger(settings)
    _import_roles(settings)
    raw = take_raw(settings.roles)
    namespace.confine(mode)
    shared = take_shared_ports(settings.roles)
    gc.collect()
    gc.freeze()  # what is loaded now is shared by all roles and never garbage
    pids: dict[int, RoleSpec] = {}
    for spec, descriptor in zip(settings.roles, role_sockets, strict=True):
        pid = os.fork()
        if pid == 0:
            if mode == HOST:
                namespace.die_with_parent()  # there is no PID namespace that would end it
            others = [one for one in role_sockets if one != descriptor]
            _as_role(control, others, spec, descriptor, ledger, shared, raw)
        pids[pid] = spec
    for descriptor in role_sockets:
        os.close(descriptor)
    for listener, _lease in shared.values():
        listener.close()
    if raw is not None:
        raw.close()
    control.send({"is": "crew", "mode": mode, "sysctls": found, "init": namespace.outer_pid()})
    return pids


def _open_ledger(settings: CrewSettings) -> Ledger | None:
    for spec in settings.roles:
        if isinstance(spec.settings, ClientRole):
            from simulator.live.ledger import Ledger

            return Ledger(Path(spec.settings.folder))
    return None


def _import_roles(settings: CrewSettings) -> None:
    """Load once, before the forks, what the roles will need."""
    for kind in {_module_key(spec) for spec in settings.roles}:
        importlib.import_module(_ROLE_MODULES[kind])
    import_spoken(spec.settings for spec in settings.roles)
    relays = [one.settings for one in settings.roles if isinstance(one.settings, BalancerRole)]
    if any(one.compiled for one in relays):
        importlib.import_module(_COMPILED)
    if any(spec.loop == "uvloop" for spec in settings.roles):
        import uvloop  # noqa: F401


def _module_key(spec: RoleSpec) -> str:
    if isinstance(spec.settings, ResolverRole):
        return "resolver"
    return spec.settings.driver if isinstance(spec.settings, DriverRole) else spec.kind


def _as_role(
    control: _Control,
    others: list[int],
    spec: RoleSpec,
    descriptor: int,
    ledger: Ledger | None,
    shared: dict[int, Share],
    raw: socket.socket | None,
) -> NoReturn:
    code = EXIT_INTERNAL
    try:
        control.sock.close()
        for other in others:
            os.close(other)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        from simulator.live.role import limit_descriptors, new_loop, run_role

        limit_descriptors(spec.descriptors)
        gc.set_threshold(200_000, 20, 20)
        loop = new_loop(spec.loop)
        mine = keep_only(shared, spec)
        own_raw = keep_raw(raw, spec)
        role = build_role(loop, socket.socket(fileno=descriptor), spec, ledger, mine, own_raw)
        run_role(role, spec.tick_ns / 1e9)
        code = EXIT_OK
    except Exception:  # noqa: BLE001 - PID 1 reports the exit code, stderr holds the traceback
        traceback.print_exc()
    sys.stderr.flush()
    os._exit(code)


def build_role(
    loop: asyncio.AbstractEventLoop,
    sock: socket.socket,
    spec: RoleSpec,
    ledger: Ledger | None,
    share: Share | None = None,
    raw: socket.socket | None = None,
) -> Role:
    """The role object for a specification."""
    settings: Any = spec.settings
    if isinstance(settings, BackendRole):
        return servers_for(settings)(loop, sock, spec.index, settings, share)
    if isinstance(settings, BalancerRole):
        from simulator.live.balancers.own import OwnBalancer

        return OwnBalancer(loop, sock, spec.index, settings)
    if isinstance(settings, DriverRole):
        return _build_minder(loop, sock, spec.index, settings)
    if isinstance(settings, ResolverRole):
        from simulator.live.balancers.resolver import Resolver

        return Resolver(loop, sock, spec.index, settings)
    if isinstance(settings, ForgerRole):
        from simulator.live.forger import Forger

        assert raw is not None
        return Forger(loop, sock, spec.index, settings, raw)
    if isinstance(settings, SidecarRole):
        from simulator.live.balancers.sidecar import Sidecar

        return Sidecar(loop, sock, spec.index, settings)
    if isinstance(settings, ClientRole):
        assert ledger is not None
        client = client_for(settings, waits="after" in ledger.plan)
        return client(loop, sock, spec.index, settings, ledger)
    assert isinstance(settings, SamplerRole)
    from simulator.live.sampler import Sampler

    return Sampler(loop, sock, spec.index, settings)


def _build_minder(
    loop: asyncio.AbstractEventLoop, sock: socket.socket, index: int, settings: DriverRole
) -> Role:
    if settings.driver == "haproxy":
        from simulator.live.balancers.haproxy import HaproxyBalancer

        return HaproxyBalancer(loop, sock, index, settings)
    from simulator.live.balancers.nginx import NginxBalancer

    return NginxBalancer(loop, sock, index, settings)


def _reap(control: _Control, alive: int, pids: dict[int, RoleSpec]) -> None:
    """Report every role that ends; end when the conductor or our parent is gone.

    Orphans of the namespace become our children too and are reaped without a word.
    """
    wake_read, wake_write = os.pipe()
    os.set_blocking(wake_read, False)
    os.set_blocking(wake_write, False)
    signal.set_wakeup_fd(wake_write)
    signal.signal(signal.SIGCHLD, lambda _number, _frame: None)
    poll = select.poll()
    for descriptor in (control.sock.fileno(), alive, wake_read):
        poll.register(descriptor, select.POLLIN)
    running = dict(pids)
    told = control.waiting(read=False)
    # Leaving this loop ends every process of the namespace.
    while not any(message.get("do") == "quit" for message in told):
        running = _reap_now(control, running)
        ready = {descriptor for descriptor, _ in poll.poll(_POLL_MS)}
        if alive in ready:
            return
        if wake_read in ready:
            os.read(wake_read, 4096)
        told = control.waiting(read=control.sock.fileno() in ready)


def _reap_now(control: _Control, running: dict[int, RoleSpec]) -> dict[int, RoleSpec]:
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return running
        if pid == 0:
            return running
        spec = running.pop(pid, None)
        if spec is not None:
            code = os.waitstatus_to_exitcode(status)
            control.send({"is": "exited", "role": spec.kind, "index": spec.index, "code": code})


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
