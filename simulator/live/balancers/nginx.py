"""nginx as a balancer of a run: its minder, which rewrites its configuration and has it reload.

It says on its error log when its workers have started, which is when it serves and when a reload
is through. Its own counters are few: sessions and bytes come from a log of all that ended.
"""

from __future__ import annotations

import contextlib
import os
import resource
import signal
from collections import Counter
from typing import TYPE_CHECKING, Final

from simulator.live.balancers.child import Child, memory_file, path_of, rewrite
from simulator.live.balancers.driver_log import Lines
from simulator.live.balancers.foreign import READ_BYTES, Endpoint, ForeignBalancer, log_pipe
from simulator.live.balancers.nginx_config import configuration
from simulator.live.balancers.nginx_log import Failures, ended, failed_accept
from simulator.records import Call, error_name

if TYPE_CHECKING:
    from simulator.live.channel import Message

_STARTED: Final = "start worker process "
_RELOADING: Final = ": reconfiguring"
_SHUTTING_DOWN: Final = "gracefully shutting down"


class NginxBalancer(ForeignBalancer):
    """The minder of one nginx, with its master and a process for each worker."""

    def begin(self) -> None:
        """Start it; its own words say when it serves (`foreign.ForeignBalancer`)."""
        self._failures = Failures()
        self._backends: dict[Endpoint, int] = {}
        self._accept_errors: Counter[int] = Counter()
        self._picks: Counter[int] = Counter()
        self._sessions = self._bytes_up = self._bytes_down = 0
        self._retries = self._reloads = self._started = self._shut_down = 0
        self._pending: list[int] = []
        self._ended_lines = Lines()
        self._note_endpoints()
        self._config = memory_file("nginx.conf")
        self._pid_file = memory_file("nginx.pid")
        read, self._failures_to = log_pipe()
        self._ended_read, self._ended_to = log_pipe()
        self._text = self._render()
        argv = ["-c", path_of(self._config), "-p", "/", "-e", "stderr"]
        front = self._front.fileno()
        self._child = Child(
            self.loop,
            [self._settings.binary, *argv],
            inherits=(front, self._failures_to, self._ended_to, self._config, self._pid_file),
            environment={"NGINX": f"{front};"},
            stderr=self._failures_to,
            ended=self.lost,
        )
        os.close(self._failures_to)
        os.close(self._ended_to)
        self.follow(read)
        self.loop.add_reader(self._ended_read, self._read_ended)

    def _render(self) -> str:
        text = configuration(
            self._settings,
            self._endpoints,
            pid=path_of(self._pid_file),
            failures=path_of(self._failures_to),
            sessions=path_of(self._ended_to),
            descriptors=resource.getrlimit(resource.RLIMIT_NOFILE)[1] % (1 << 63),
            is_root=os.geteuid() == 0,
        )
        rewrite(self._config, text.encode())
        return text

    def _note_endpoints(self) -> None:
        self._backends |= {endpoint: backend for backend, endpoint in self._endpoints.items()}

    def change(self, insert: dict[int, Endpoint], remove: list[int], change: int | None) -> None:
        """Rewrite its file and have it read again (`foreign.ForeignBalancer`)."""
        assert self._child is not None
        self._note_endpoints()
        self._render()
        if change is not None:
            self._pending.append(change)
        self._child.signal(signal.SIGHUP)

    def read_line(self, line: str, now_ns: int) -> None:
        """One line of its error log, or of its failed sessions (`foreign.ForeignBalancer`)."""
        if "[notice]" in line:
            self._note(line)
            return
        client = self._failures.session(line)
        if client is not None:
            self._log.unserved(now_ns, client)
            return
        dial = self._failures.dial(line, self._backends)
        if dial is not None and dial.call is not Call.PICK:
            self._log.failed(now_ns, dial)
        elif dial is None:
            self._accept_errors[failed_accept(line)] += 1
            self.keep_word(line)

    def _note(self, line: str) -> None:
        """Workers start: the first ones serve. Old ones shut down: a reload is through.

        Between the two nginx waits for 100 ms, in which both take connections.
        """
        if line.endswith(_RELOADING):
            self._reloads += 1
            self._shut_down = 0
        elif _STARTED in line and not self.is_serving:
            self._started += 1
            if self._started == self._settings.workers:
                self.serves(self._text)
        elif line.endswith(_SHUTTING_DOWN):
            self._shut_down += 1
            if self._shut_down == self._settings.workers:
                for change in self._pending:
                    self.changed(change)
                self._pending.clear()

    def _read_ended(self) -> None:
        with contextlib.suppress(BlockingIOError):
            data = os.read(self._ended_read, READ_BYTES)
            if not data:
                self.loop.remove_reader(self._ended_read)
            for line in self._ended_lines.feed(data):
                session = ended(line)
                if session is None:
                    continue
                self._sessions += 1
                self._bytes_up += session.bytes_up
                self._bytes_down += session.bytes_down
                self._retries += max(0, len(session.tried) - 1)
                for endpoint in session.tried:
                    self._picks[self._backends.get(endpoint, -1)] += 1

    def own_counters(self, *, last: bool = False) -> Message:
        """What its logs tell (`foreign.ForeignBalancer`); sessions count when they end."""
        if last:
            self._read_ended()
        assert self._child is not None
        processes = len(self._child.family()) - 1
        return {
            "accepted": self._sessions,
            "retries": self._retries,
            "accept_errors": {
                error_name(code): number for code, number in self._accept_errors.items() if code
            },
            "bytes_up": self._bytes_up,
            "bytes_down": self._bytes_down,
            "picks": {str(one): number for one, number in self._picks.items() if one >= 0},
            "nginx": {
                "reloads": self._reloads,
                "old_workers": max(0, processes - self._settings.workers),
            },
        }

    def close(self) -> None:
        """Let go of its logs and files (`foreign.ForeignBalancer`)."""
        self.loop.remove_reader(self._ended_read)
        for descriptor in (self._ended_read, self._config, self._pid_file):
            os.close(descriptor)
