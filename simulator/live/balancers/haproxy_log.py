"""Lines of HAProxy's log: the sessions that failed, and why, in the words of our records; pure.

Source: HAProxy 2.6 configuration manual, sections 8.2.4 and 8.5 (session state at disconnection);
``enum`` of `CO_ER_*` in include/haproxy/connection-t.h for what `bc_err` means.
"""

from __future__ import annotations

import errno
from typing import Final

from simulator.live.balancers.driver_log import FailedDial, Unserved
from simulator.live.balancers.haproxy_config import SESSION, backend_of
from simulator.records import Call, Ending

#: `bc_err` -> what failed. 7 is HAProxy's own list of ports, found empty before any call.
_BC_ERRORS: Final = {
    "1": (Call.SOCKET, errno.EMFILE),
    "2": (Call.SOCKET, errno.EMFILE),
    "3": (Call.SOCKET, errno.ENFILE),
    "4": (Call.SOCKET, errno.ENOMEM),
    "7": (Call.BIND, int(Ending.NO_PORT)),
    "8": (Call.BIND, errno.EADDRNOTAVAIL),
    "9": (Call.CONNECT, errno.EADDRNOTAVAIL),
    "10": (Call.CONNECT, errno.EADDRINUSE),
}
_REFUSED: Final = (Call.CONNECT, errno.ECONNREFUSED)
_TIMED_OUT: Final = (Call.CONNECT, int(Ending.TIMEOUT))
_NOBODY: Final = (Call.PICK, int(Ending.NO_BACKEND))
#: States in which no server answered: the second letter is where the session stood.
_STATES: Final = {
    "SC": _REFUSED,
    "sC": _TIMED_OUT,
    "RC": _REFUSED,
    "SQ": _NOBODY,
    "sQ": (Call.PICK, int(Ending.FULL)),
}
#: What it says of a connect that failed in the call itself; one line for each.
_CALLS: Final = {
    "no free ports": (Call.CONNECT, errno.EADDRNOTAVAIL),
    "local address already in use": (Call.CONNECT, errno.EADDRINUSE),
    "Cannot bind to source address": (Call.BIND, int(Ending.NO_PORT)),
}
_NO_SERVER: Final = "<NOSRV>"
_FIELDS: Final = 8


def failed_call(line: str) -> FailedDial | None:
    """The connect that a line says to have failed in the call; None for any other line."""
    if line.startswith(SESSION):
        return None
    for words, (call, error) in _CALLS.items():
        if words in line:
            return FailedDial(call=call, error=error)
    return None


def unserved(line: str) -> Unserved | None:
    """The client that a line says to have been sent away; None for any other line.

    Sessions that a client or a backend cut later are logged too, and are no refusals.
    """
    words = line.split()
    if len(words) != _FIELDS or words[0] != SESSION:
        return None
    _, address, port, server, state, _retries, took_ms, code = words
    if state not in _STATES or not port.isdigit():
        return None
    call, error = _NOBODY if server == _NO_SERVER else _BC_ERRORS.get(code, _STATES[state])
    return Unserved(
        address=address,
        port=int(port),
        took_ns=int(took_ms.lstrip("+")) * 1_000_000,
        dial=FailedDial(call=call, error=error, backend=backend_of(server)),
    )


def ended_idle(line: str) -> bool:
    """Whether a line tells of a session that ended for silence."""
    words = line.split()
    return len(words) == _FIELDS and words[0] == SESSION and words[4] in ("cD", "sD")
