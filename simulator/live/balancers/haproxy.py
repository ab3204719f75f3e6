"""HAProxy as a balancer of a run: its minder, which speaks to it by its runtime API.

The socket of the runtime API has an abstract name, which belongs to the network namespace and to
no folder. It listens before HAProxy starts, so HAProxy is ready when it answers there.
"""

from __future__ import annotations

import csv
import errno
import os
import resource
import socket
from typing import TYPE_CHECKING, Final

from simulator.clock import monotonic_ns
from simulator.live.balancers.child import Child, memory_file, path_of, said
from simulator.live.balancers.driver_log import FailedDial
from simulator.live.balancers.foreign import Endpoint, ForeignBalancer, NotStarted, log_pipe
from simulator.live.balancers.haproxy_config import backend_of, change_commands, configuration
from simulator.live.balancers.haproxy_log import ended_idle, failed_call, unserved
from simulator.records import Call

if TYPE_CHECKING:
    from collections.abc import Sequence

    from simulator.live.channel import Message

_API: Final = "\0portchurn-haproxy"
_READY_WITHIN_S: Final = 10.0
_ANSWER_WITHIN_S: Final = 2.0
#: Picks are read from one line a server: with every so many ticks, and at the end.
_TICKS_A_PICK: Final = 10
#: So many lines are cheap enough to be read with every tick, which tells when backends moved.
_FEW_SERVERS: Final = 256
_REFUSED: Final = errno.ECONNREFUSED
#: Commands of one line must fit its buffer.
_COMMANDS_AT_ONCE: Final = 16
#: Its own counters, under its own names: sums over all its proxies of a kind.
_ITS_OWN: Final = ("econ", "eresp", "wretr", "wredis", "qcur", "qmax", "cli_abrt", "srv_abrt")


def ask(command: str, within_s: float = _ANSWER_WITHIN_S) -> str:
    """One command of the runtime API and its answer.

    Raises:
        OSError: HAProxy is not there, or does not answer in time.
    """
    with socket.socket(socket.AF_UNIX) as api:
        api.settimeout(within_s)
        api.connect(_API)
        api.sendall(command.encode() + b"\n")
        answer = bytearray()
        while data := api.recv(1 << 16):
            answer += data
    if not answer:
        raise ConnectionResetError("no answer")
    return answer.decode("utf-8", "replace")


def statistics(answer: str) -> list[dict[str, str]]:
    """The rows of `show stat`."""
    return list(csv.DictReader(answer.removeprefix("# ").splitlines()))


def total(rows: Sequence[dict[str, str]], kind: str, column: str) -> int:
    """A column over all frontends (``FRONTEND``) or backends (``BACKEND``)."""
    return sum(int(row.get(column) or 0) for row in rows if row.get("svname") == kind)


def picks_of(rows: Sequence[dict[str, str]]) -> dict[str, int]:
    """How often each backend was picked, over its server lines."""
    found: dict[str, int] = {}
    for row in rows:
        backend = backend_of(row.get("svname") or "")
        if backend >= 0:
            picked = int(row.get("lbtot") or 0)
            found[str(backend)] = found.get(str(backend), 0) + picked
    return found


class HaproxyBalancer(ForeignBalancer):
    """The minder of one HAProxy, with a thread for each worker."""

    _idle = 0
    _ticks = 0
    _calls = 0
    _stderr = -1

    def begin(self) -> None:
        """Start it and wait for its API to answer (`foreign.ForeignBalancer`)."""
        api = socket.socket(socket.AF_UNIX)
        read, write = log_pipe()
        os.set_blocking(write, False)  # it asks for that, and drops what does not fit
        self._stderr = memory_file("stderr")
        self._picks: dict[str, int] = {}
        self._retried: dict[str, int] = {}
        try:
            api.bind(_API)
            api.listen(8)
            text = configuration(
                self._settings,
                self._endpoints,
                front=self._front.fileno(),
                stats=api.fileno(),
                log=write,
                descriptors=resource.getrlimit(resource.RLIMIT_NOFILE)[1] % (1 << 63),
            )
            config = memory_file("haproxy.cfg", text.encode())
            self._child = Child(
                self.loop,
                [self._settings.binary, "-db", "-f", path_of(config)],
                inherits=(self._front.fileno(), api.fileno(), write, config),
                environment={},
                stderr=self._stderr,
                ended=self.lost,
            )
            os.close(config)
        finally:
            api.close()  # only HAProxy has it now, so that its end is seen there
            os.close(write)
        self.follow(read)
        self._wait_until_ready()
        self.serves(text)

    def _wait_until_ready(self) -> None:
        try:
            ask("show info", _READY_WITHIN_S)
        except OSError as error:
            assert self._child is not None
            self._child.kill()
            self._child = None
            raise NotStarted(said(self._stderr) or str(error)) from None

    def change(self, insert: dict[int, Endpoint], remove: list[int], change: int | None) -> None:
        """Move servers while it runs (`foreign.ForeignBalancer`)."""
        commands = change_commands(self._settings, insert, remove)
        for at in range(0, len(commands), _COMMANDS_AT_ONCE):
            ask(";".join(commands[at : at + _COMMANDS_AT_ONCE]))
        self.changed(change)

    def close(self) -> None:
        """Let go of what it said on stderr (`foreign.ForeignBalancer`)."""
        os.close(self._stderr)

    def read_line(self, line: str, now_ns: int) -> None:
        """One line of its log (`foreign.ForeignBalancer`)."""
        call = failed_call(line)
        if call is not None:
            self._log.failed(now_ns, call)
            return
        client = unserved(line)
        if client is None:
            self._idle += ended_idle(line)
            return
        self._log.unserved(now_ns, client)
        # What failed in the call had a line of its own; a pick of nobody is no dial.
        if client.dial.call is Call.CONNECT and not _in_the_call(client.dial.error):
            self._log.failed(now_ns, client.dial)

    def own_counters(self, *, last: bool = False) -> Message:
        """What `show stat` says, as sums over its proxies (`foreign.ForeignBalancer`)."""
        role = self._settings
        often = role.moves and role.backends * max(1, len(role.sources)) <= _FEW_SERVERS
        with_servers = last or often or self._ticks % _TICKS_A_PICK == 0
        self._ticks += 1
        try:
            rows = statistics(ask(f"show stat -1 {7 if with_servers else 3} -1"))
        except OSError:
            return {}  # it hangs or is gone; the last tick holds what was known
        if with_servers:
            self._picks = picks_of(rows)
            self._note_retried(rows)
        active = total(rows, "FRONTEND", "scur")
        return {
            "accepted": total(rows, "FRONTEND", "stot"),
            "active": active,
            "dialed": total(rows, "BACKEND", "connect"),
            "retries": total(rows, "BACKEND", "wretr") + total(rows, "BACKEND", "wredis"),
            "idle_closed": self._idle,
            "bytes_up": total(rows, "FRONTEND", "bin"),
            "bytes_down": total(rows, "FRONTEND", "bout"),
            "picks": dict(self._picks),
            "fds": 2 * active,
            "haproxy": {name: total(rows, "BACKEND", name) for name in _ITS_OWN},
        }

    def _note_retried(self, rows: Sequence[dict[str, str]]) -> None:
        """Write dials that a retry saved, of which no line tells, as refused at their backend.

        Where ports ran out meanwhile, those were the failures and had lines of their own.
        """
        now_ns = monotonic_ns() - self.t0_ns
        calls = self._ports_missed()
        for row in rows:
            name = row.get("svname") or ""
            backend = backend_of(name)
            if backend < 0:
                continue
            count = int(row.get("wretr") or 0) + int(row.get("wredis") or 0)
            new, self._retried[name] = count - self._retried.get(name, 0), count
            if self._settings.moves and calls == self._calls:
                for _ in range(new):
                    self._log.failed(
                        now_ns, FailedDial(call=Call.CONNECT, error=_REFUSED, backend=backend)
                    )
        self._calls = calls

    def _ports_missed(self) -> int:
        """Connects so far that failed for another reason than a refusal."""
        errors = self._log.dial_errors
        return sum(number for (_, error), number in errors.items() if error != _REFUSED)


def _in_the_call(error: int) -> bool:
    return error in (errno.EADDRNOTAVAIL, errno.EADDRINUSE)
