"""What engines write down: one vocabulary for every outcome, and the columns of every record.

An engine writes records; measurement reads them; reports read stored results. The kernel engine's
generator writes its rows in place, into files mapped by several processes, so that nothing
measured is lost when any process is killed. All times are int64 nanoseconds since the start of
the run (``t0``); -1 means *has not happened*.
"""

from __future__ import annotations

import errno
from enum import IntEnum, unique
from typing import Final

NOT_YET: Final = -1

#: One row per planned connection, written before the run. name -> numpy dtype.
PLAN_COLUMNS: Final[dict[str, str]] = {
    "due_ns": "<i8",  # when the connection should be sent
    "lifetime_ns": "<i8",  # how long it stays open once connected
    "requests": "<i4",  # requests it carries, spread evenly over its lifetime
    "request_bytes": "<i4",  # body of each request
    "response_bytes": "<i4",  # body of each answer
    "phase": "<i2",  # index into the scenario's phases
    "first_service": "<i8",  # index of its first request in the `service_ns` array
}
#: One row per planned request: how long the backend takes to answer.
SERVICE_COLUMNS: Final[dict[str, str]] = {"service_ns": "<i8"}

#: Further columns of a plan, each only there when the scenario needs it. ``think_ns`` has the shape
#: of ``service_ns``, the others have one row per planned connection.
OPTIONAL_COLUMNS: Final[dict[str, str]] = {
    "think_ns": "<i8",  # pause of the client before each request, counted from the last answer
    "linger_ns": "<i8",  # how long the client stays idle after the last answer before it closes
    "after": "<i8",  # row it waits for, -1 = none: to fail (a retry) or to end (a user's next turn)
    "pause_ns": "<i8",  # from that row's end until this one is due
    "attempt": "|u1",  # 0 for the first attempt, n for the n-th retry
}

#: One row per planned connection, written by the generator as it happens.
CONNECTION_COLUMNS: Final[dict[str, str]] = {
    "sent_ns": "<i8",  # the generator took it up (its socket call)
    "connected_ns": "<i8",  # the kernel said: connected
    "first_byte_ns": "<i8",  # first byte of the first answer
    "answered_ns": "<i8",  # last byte of the last answer
    "closed_ns": "<i8",  # our descriptor was closed
    "connect_call_ns": "<i4",  # time inside bind() and connect()
    "answers": "<i4",  # complete answers received
    "bytes_in": "<i8",
    "outcome": "|u1",  # Outcome
    "call": "|u1",  # Call in which it failed
    "error": "<i2",  # errno; 0 = none; negative = an Ending or an HTTP status, see below
    "source": "<i2",  # index of the source address
    "port": "<i4",  # local port, 0 = unknown
    "backend": "<i4",  # backend id; only where the client picks it (driver none), else -1
}

#: One row per connect() of a balancer worker, appended as it happens.
DIAL_COLUMNS: Final[dict[str, str]] = {
    "t_ns": "<i8",  # when connect() returned
    "call_ns": "<i8",  # time inside bind() and connect()
    "backend": "<i8",  # backend id
    "source": "<i8",  # index of the source address
    "port": "<i8",  # local port, 0 = unknown
    "error": "<i8",  # 0, or errno (from the call, or later from SO_ERROR)
    "call": "<i8",  # Call that gave the errno
}

#: One row per connection a balancer worker could not serve; joins to the client's row by tuple.
REFUSAL_COLUMNS: Final[dict[str, str]] = {
    "t_ns": "<i8",  # when it gave up
    "accepted_ns": "<i8",
    "peer_address": "<i8",  # client's IPv4 address as a number, host order
    "peer_port": "<i8",
    "call": "<i8",  # Call that failed last
    "error": "<i8",  # its errno, or an Ending
    "hop": "<i8",  # Hop on which it failed
    "backend": "<i8",  # backend it was meant for, -1 = none was left
}

#: One row per connection that a sidecar had made toward the balancer and that was reset from there;
#: joins what the balancer refused to the client behind the sidecar.
CUT_COLUMNS: Final[dict[str, str]] = {
    "t_ns": "<i8",  # when the sidecar met the reset
    "accepted_ns": "<i8",  # when it had accepted the client
    "peer_address": "<i8",  # client's IPv4 address as a number, host order
    "peer_port": "<i8",
    "near_address": "<i8",  # the sidecar's own address and port toward the balancer
    "near_port": "<i8",
}

#: One row per DNS question that reached an authoritative server, as somebody on the path sees it.
QUESTION_COLUMNS: Final[dict[str, str]] = {
    "t_ns": "<i8",
    "backend": "<i8",  # backend id
    "peer_address": "<i8",  # the resolver's IPv4 address as a number, host order
    "peer_port": "<i8",
    "ident": "<i8",  # the question's ID
}

#: One row for each look for a source port in the model, which knows what the kernel never tells.
WALK_COLUMNS: Final[dict[str, str]] = {
    "t_ns": "<i8",
    "hop": "<i8",  # Hop on which it was dialed
    "source": "<i8",  # index of the source address
    "destination": "<i8",  # number of the endpoint
    "in_use": "<i8",  # tuples of its group that could not be had, before
    "port": "<i8",  # the port found, 0 = none
    "probes": "<i8",  # ports looked at
}

#: Streams of rows that relays append, by name.
ROW_STREAMS: Final[dict[str, dict[str, str]]] = {
    "dials": DIAL_COLUMNS,
    "refusals": REFUSAL_COLUMNS,
    "sidecar-dials": DIAL_COLUMNS,
    "sidecar-refusals": REFUSAL_COLUMNS,
    "sidecar-cuts": CUT_COLUMNS,
    "questions": QUESTION_COLUMNS,
    "walks": WALK_COLUMNS,
}


class Outcome(IntEnum):
    """How one planned connection ended. Every row ends in exactly one of these."""

    PLANNED = 0  # never taken up: counted as not sent, for want of a better reason "generator"
    OPEN = 1  # taken up and not yet ended
    OK = 2  # connected, every answer complete, closed as planned
    FAILED = 3  # see call and error
    NOT_SENT_DESCRIPTORS = 4  # the generator had no descriptor or memory for a socket
    NOT_SENT_STOPPED = 5  # the run was stopped before it was due
    NOT_SENT_GENERATOR = 6  # the generator could not keep up and the run ended
    NOT_SENT_NEEDLESS = 7  # a retry of what did not fail, or a user's turn that time did not allow


#: Rows that a plan holds for the worst case only; nothing was asked for, and nothing is missing.
NEEDLESS: Final = "needless"
NOT_SENT: Final[dict[Outcome, str]] = {
    Outcome.PLANNED: "generator",
    Outcome.NOT_SENT_DESCRIPTORS: "descriptors",
    Outcome.NOT_SENT_STOPPED: "stopped",
    Outcome.NOT_SENT_GENERATOR: "generator",
    Outcome.NOT_SENT_NEEDLESS: NEEDLESS,
}


class Call(IntEnum):
    """The system call, or the moment between two, in which something failed."""

    NONE = 0
    SOCKET = 1
    BIND = 2
    CONNECT = 3
    ACCEPT = 4
    SEND = 5
    RECV = 6
    CLOSE = 7
    PICK = 8  # no backend could be picked
    ALLOCATE = 9  # a NAT looked for an outer port


@unique
class Ending(IntEnum):
    """Failures that have no errno; stored as negative numbers beside the errnos."""

    EOF = -1  # the other side closed before the answer was complete
    TIMEOUT = -2  # our own timeout
    PROTOCOL = -3  # the answer was not what was asked for
    NO_BACKEND = -4  # nothing to connect to
    NO_PORT = -5  # our own port list had no free port: nothing was asked of the kernel
    FULL = -10  # every backend had as many connections as it may; waiting was no use either
    HTTP_PROTOCOL = -20  # the answer was no HTTP, or not as long as was asked for
    SELF_CONNECT = -21  # the connection's other end was its own
    FORGED = -40  # a DNS answer that no server gave
    SERVFAIL = -41  # a DNS answer that says that its server failed
    NXDOMAIN = -42  # one that says that there is no such name
    TRUNCATED = -43  # one that did not fit into a datagram
    NAT_PORTS = -60  # every port that the NAT may use for this connection is taken
    NAT_POOL = -61  # the NAT has no more ports to deal out to this host
    NAT_TABLE = -62  # the NAT tracks as many connections as it can


class Hop(IntEnum):
    """A connection's hop; the name is what results show."""

    CLIENT_BALANCER = 0
    BALANCER_BACKEND = 1
    CLIENT_BACKEND = 2  # no balancer in between
    CLIENT_SIDECAR = 3  # with a sidecar before the balancer
    SIDECAR_BALANCER = 4
    NAT_BACKEND = 10  # from a NAT on, in the model

    @property
    def label(self) -> str:
        """The name in results: ``client-balancer`` and so on."""
        return self.name.lower().replace("_", "-")


#: An answer's HTTP status counts down from here: -1503 is a 503. No Ending is so low.
_NO_STATUS: Final = -1000


def http_error(status: int) -> int:
    """The code of an HTTP status that is a failure, shown as ``HTTP_503``."""
    return _NO_STATUS - status


def error_name(code: int) -> str:
    """The symbol of an errno (``EADDRNOTAVAIL``), an Ending (``EOF``) or status (``HTTP_503``)."""
    if code < _NO_STATUS:
        return f"HTTP_{_NO_STATUS - code}"
    if code < 0:
        return Ending(code).name
    return errno.errorcode.get(code, f"ERRNO_{code}")


def error_key(hop: Hop, call: int, code: int) -> str:
    """``hop/call/ERRNO``, the key of every error count."""
    return f"{hop.label}/{Call(call).name.lower()}/{error_name(code)}"


#: Errnos that mean "this process or machine is out of something", by what is out.
OUT_OF_DESCRIPTORS: Final = frozenset({errno.EMFILE, errno.ENFILE})
OUT_OF_MEMORY: Final = frozenset({errno.ENOBUFS, errno.ENOMEM})
OUT_OF_PORTS: Final = frozenset({errno.EADDRNOTAVAIL, errno.EAGAIN})
