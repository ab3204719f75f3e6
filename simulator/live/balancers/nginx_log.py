"""Lines of nginx's logs: connects that failed, and clients that were sent away; pure.

Each failed connect has a line of the error log with its errno and the connection's number; the
line of the session follows it from the same worker, with the client's address and port.
"""

from __future__ import annotations

import errno
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from simulator.live.balancers.driver_log import FailedDial, Unserved
from simulator.live.balancers.nginx_config import SESSION
from simulator.records import Call, Ending

if TYPE_CHECKING:
    from collections.abc import Mapping

_CALL_RE: Final = re.compile(
    r"\*(?P<number>\d+) (?P<call>connect|bind|socket)\([^)]*\) (?:to \S+ )?failed \((?P<errno>\d+):"
)
_TIMED_OUT_RE: Final = re.compile(r"\*(?P<number>\d+) upstream timed out \(.* while connecting")
_NOBODY_RE: Final = re.compile(r"\*(?P<number>\d+) no live upstreams")
_ACCEPT_RE: Final = re.compile(r"accept4?\(\) failed \((\d+):")
_UPSTREAM_RE: Final = re.compile(r'upstream: "([0-9.]+):(\d+)"')
_CALLS: Final = {"connect": Call.CONNECT, "bind": Call.BIND, "socket": Call.SOCKET}
_FIELDS: Final = 6
#: Failures kept for the lines of their sessions; those of sessions that a retry saved never come.
_KEPT: Final = 10_000
_UNKNOWN: Final = FailedDial(call=Call.RECV, error=errno.ECONNRESET)

Endpoint = tuple[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """A session that ended: who was tried, in order, and its bytes."""

    tried: tuple[Endpoint, ...]
    bytes_up: int
    bytes_down: int


class Failures:
    """Joins the lines of failed connects with those of their sessions."""

    def __init__(self) -> None:
        self._last: dict[str, FailedDial] = {}

    def dial(self, line: str, backends: Mapping[Endpoint, int]) -> FailedDial | None:
        """The failed connect, or pick, that a line tells of; None for any other line.

        Args:
            line: of the error log.
            backends: which backend is, or was last, at an endpoint.
        """
        found = _CALL_RE.search(line)
        call, error = Call.CONNECT, int(Ending.TIMEOUT)
        if found:
            call, error = _CALLS[found["call"]], int(found["errno"])
        elif nobody := _NOBODY_RE.search(line):
            found, call, error = nobody, Call.PICK, int(Ending.NO_BACKEND)
        else:
            found = _TIMED_OUT_RE.search(line)
        if not found:
            return None
        where = _UPSTREAM_RE.search(line)
        backend = backends.get((where[1], int(where[2])), -1) if where else -1
        dial = FailedDial(call=call, error=error, backend=backend)
        self._last[found["number"]] = dial
        if len(self._last) > _KEPT:
            del self._last[next(iter(self._last))]
        return dial

    def session(self, line: str) -> Unserved | None:
        """The client that a line says to have been sent away; None for any other line."""
        words = line.split()
        if len(words) != _FIELDS or words[0] != SESSION or not words[3].isdigit():
            return None
        _, number, address, port, _status, seconds = words
        return Unserved(
            address=address,
            port=int(port),
            took_ns=round(float(seconds) * 1e9),
            dial=self._last.pop(number, _UNKNOWN),
        )


def failed_accept(line: str) -> int:
    """The errno of an accept() that a line says to have failed; 0 for any other line."""
    found = _ACCEPT_RE.search(line)
    return int(found[1]) if found else 0


def ended(line: str) -> Ended | None:
    """A session of the log of all sessions; None for what is no such line."""
    words = line.replace(",", "").split()
    if len(words) < 3 or not (words[-1].isdigit() and words[-2].isdigit()):
        return None
    tried = []
    for word in words[:-2]:
        address, _, port = word.rpartition(":")
        if port.isdigit():
            tried.append((address, int(port)))
    return Ended(tried=tuple(tried), bytes_up=int(words[-2]), bytes_down=int(words[-1]))
