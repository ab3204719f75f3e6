"""Runs a test's body in a private network namespace, in a child made for it.

A process cannot leave a namespace it has unshared, so the test process never enters one: it forks,
the child enters, runs, and sends its result or its traceback back.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import signal
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, ParamSpec, TypeVar

import uvloop

from simulator.kernel.namespace import die_with_parent, enter_namespaces

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from multiprocessing.connection import Connection

P = ParamSpec("P")
R = TypeVar("R")

LOOPS: Final[Mapping[str, Callable[[], asyncio.AbstractEventLoop]]] = {
    "asyncio": asyncio.new_event_loop,
    "uvloop": uvloop.new_event_loop,
}


class Child:
    """A forked process that runs one function and talks over a pipe."""

    def __init__(self, body: Callable[[Connection], Any], *, alarm_s: int) -> None:
        self.pipe, theirs = multiprocessing.Pipe()
        self._ended = ""
        self.pid = os.fork()
        if self.pid == 0:
            self.pipe.close()
            _live(theirs, body, alarm_s)
        theirs.close()

    def receive(self) -> Any:  # noqa: ANN401 - whatever the child sends
        """What the child sends next; its failure is raised here."""
        try:
            kind, value = self.pipe.recv()
        except EOFError:
            raise AssertionError(f"the child ended by {self.join()} without a word") from None
        if kind == "failed":
            raise AssertionError(value)
        return value

    def join(self) -> str:
        """Wait for its end; how it ended."""
        if not self._ended:
            self.pipe.close()
            _, status = os.waitpid(self.pid, 0)
            self._ended = f"status {os.waitstatus_to_exitcode(status)}"
        return self._ended


def _live(pipe: Connection, body: Callable[[Connection], Any], alarm_s: int) -> None:
    """The child's whole life; never returns into the test runner."""
    try:
        signal.alarm(alarm_s)  # a hang ends here, not in the continuous build
        pipe.send(("ok", body(pipe)))
    except BaseException:  # noqa: BLE001 - all of it belongs in the test's report
        pipe.send(("failed", traceback.format_exc()))
    finally:
        os._exit(0)


def in_namespace(body: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """The result of ``body`` run in a fresh user and network namespace."""

    def enter(_pipe: Connection) -> R:
        die_with_parent()
        enter_namespaces(pid=False)
        return body(*args, **kwargs)

    child = Child(enter, alarm_s=120)
    try:
        result: R = child.receive()
    finally:
        child.join()
    return result


def write_sysctl(name: str, value: str) -> None:
    """Set ``net.ipv4.<name>`` of the namespace this process is in."""
    Path("/proc/sys/net/ipv4", name).write_text(value)
