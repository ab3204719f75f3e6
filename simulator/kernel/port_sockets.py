"""The sockets on some local ports: IPv4 and IPv6, TCP and UDP, told apart inside the kernel.

A small program of the kernel's own sock_diag filter goes with the request, so that only sockets on
the ports asked for are copied out: among 100,000 others, one is found in milliseconds.

Source: sock_diag(7); linux/inet_diag.h (INET_DIAG_REQ_BYTECODE, struct inet_diag_bc_op);
Linux net/ipv4/inet_diag.c (inet_diag_bc_audit, inet_diag_bc_run).
"""

from __future__ import annotations

import errno
import ipaddress
import socket
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from simulator.kernel.sockdiag import BOUND, STATE_NAMES, WITH_BOUND

if TYPE_CHECKING:
    from collections.abc import Iterator

Transport = Literal["tcp", "udp"]

_SOCK_DIAG: Final = 4
_BY_FAMILY: Final = 20
_REQUEST_DUMP: Final = 0x301
_DUMP_INTR: Final = 0x10
_ERROR: Final = 2
_DONE: Final = 3
_BYTECODE: Final = 1
_SOURCE_AT_LEAST: Final = 2
_SOURCE_AT_MOST: Final = 3
_CLOSE: Final = 7
_ADDRESS_BYTES: Final = {socket.AF_INET: 4, socket.AF_INET6: 16}
_FAMILIES: Final = {4: socket.AF_INET, 6: socket.AF_INET6}
_PROTOCOLS: Final[dict[Transport, int]] = {
    "tcp": socket.IPPROTO_TCP,
    "udp": socket.IPPROTO_UDP,
}
#: struct inet_diag_msg.
_MESSAGE: Final = struct.Struct("=BBBB2s2s16s16sI8sIIIII")
#: What a kernel answers that cannot show a table: no such module, family or protocol.
_ABSENT: Final = frozenset(
    {errno.ENOENT, errno.EINVAL, errno.EAFNOSUPPORT, errno.EPROTONOSUPPORT, errno.EOPNOTSUPP}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class PortSocket:
    """One socket.

    Attributes:
        transport: ``tcp`` or ``udp``.
        version: 4 or 6.
        state: one of `sockdiag.STATE_NAMES`; a UDP socket without a peer is ``bound``.
        source: local address as text, without a port.
        sport: local port.
        destination: peer's address; ``0.0.0.0`` or ``::`` where there is none.
        dport: peer's port, 0 where there is none.
        uid: owner; 0 also for a socket in TIME_WAIT, which has none.
        inode: by which a process's descriptor is matched; 0 when no process has it any more.
        timer_ms: time until the running timer fires; in TIME_WAIT until it ends.
    """

    transport: Transport
    version: int
    state: str
    source: str
    sport: int
    destination: str
    dport: int
    uid: int
    inode: int
    timer_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PortSockets:
    """What was found.

    Attributes:
        sockets: in the order of transport, version and local port.
        unseen: tables that this kernel does not show, such as ``udp over IPv6``.
        complete: False when a table changed under the dump; something may then be missing.
    """

    sockets: tuple[PortSocket, ...]
    unseen: tuple[str, ...]
    complete: bool


def port_filter(first: int, last: int) -> bytes:
    """The filter program that lets through sockets whose local port is in ``first..last``.

    Two comparisons, each with its operand in a second word; ``yes`` and ``no`` are how far to go
    on, and going past the end by one word means *not this one*.
    """
    return struct.pack(
        "=BBHBBHBBHBBH",
        *(_SOURCE_AT_LEAST, 8, 20, 0, 0, first),
        *(_SOURCE_AT_MOST, 8, 12, 0, 0, last),
    )


def sockets_on(first: int, last: int) -> PortSockets:
    """Every socket of this network namespace whose local port is in ``first..last``.

    Raises:
        OSError: netlink failed.
    """
    found: list[PortSocket] = []
    unseen = []
    complete = True
    for transport in _PROTOCOLS:
        for version in _FAMILIES:
            with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _SOCK_DIAG) as netlink:
                netlink.settimeout(5.0)
                netlink.send(_request(transport, version, port_filter(first, last)))
                try:
                    whole = _collect(netlink, transport, found)
                except OSError as error:
                    if error.errno not in _ABSENT:
                        raise
                    unseen.append(f"{transport} over IPv{version}")
                    continue
            complete = complete and whole
    found.sort(key=lambda each: (each.transport, each.version, each.sport))
    return PortSockets(sockets=tuple(found), unseen=tuple(unseen), complete=complete)


def _request(transport: Transport, version: int, program: bytes) -> bytes:
    body = struct.pack(
        "=BBBxI48x", _FAMILIES[version], _PROTOCOLS[transport], 0, WITH_BOUND
    ) + struct.pack("=HH", 4 + len(program), _BYTECODE)
    body += program
    return struct.pack("=IHHII", 16 + len(body), _BY_FAMILY, _REQUEST_DUMP, 1, 0) + body


def _collect(netlink: socket.socket, transport: Transport, found: list[PortSocket]) -> bool:
    """Append what one dump holds; gives whether the table stood still meanwhile."""
    complete = True
    while True:
        for kind, flags, payload in _messages(netlink.recv(1 << 18)):
            complete = complete and not flags & _DUMP_INTR
            if kind == _DONE:
                return complete
            if kind == _ERROR:
                code = -struct.unpack_from("=i", payload)[0]
                raise OSError(code, "sock_diag refused the dump")
            found.append(_socket(payload, transport))


def _messages(datagram: bytes) -> Iterator[tuple[int, int, bytes]]:
    """Kind, flags and payload of each message in a datagram."""
    at = 0
    while at + 16 <= len(datagram):
        size, kind, flags = struct.unpack_from("=IHH", datagram, at)
        if size < 16:
            return
        yield kind, flags, datagram[at + 16 : at + size]
        at += (size + 3) & ~3


def _socket(payload: bytes, transport: Transport) -> PortSocket:
    (family, state, _, _, sport, dport, source, destination, *rest) = _MESSAGE.unpack_from(payload)
    _, _, expires, _, _, uid, inode = rest
    size = _ADDRESS_BYTES[family]
    return PortSocket(
        transport=transport,
        version=4 if family == socket.AF_INET else 6,
        state=STATE_NAMES.get(BOUND if state == _CLOSE else state, str(state)),
        source=str(ipaddress.ip_address(source[:size])),
        sport=int.from_bytes(sport, "big"),
        destination=str(ipaddress.ip_address(destination[:size])),
        dport=int.from_bytes(dport, "big"),
        uid=uid,
        inode=inode,
        timer_ms=expires,
    )
