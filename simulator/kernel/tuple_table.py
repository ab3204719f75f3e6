"""All TCP sockets of this network namespace, IPv4 and IPv6 in one table of numpy columns.

An address is 16 bytes; IPv4 stands in its mapped form (``::ffff:a.b.c.d``), since a socket made for
IPv6 that talks to an IPv4 peer takes the same ports from the same budget and looks just so.

Source: sock_diag(7); linux/inet_diag.h; RFC 4291 section 2.5.5.2 (mapped addresses).
"""

from __future__ import annotations

import errno
import ipaddress
import socket
import struct
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from simulator.kernel.sockdiag import ALL_STATES, TIME_WAIT, parse_datagram

_SOCK_DIAG: Final = 4
_BY_FAMILY: Final = 20
_REQUEST_DUMP: Final = 0x301
_MAPPED: Final = 0xFFFF
_ABSENT: Final = frozenset({errno.ENOENT, errno.EINVAL, errno.EAFNOSUPPORT})

#: As sockdiag's head, with whole addresses: an upper and a lower half of 8 bytes each.
_HEAD: Final = np.dtype(
    {
        "names": [
            *("length", "kind", "flags", "state", "timer", "sport", "dport"),
            *("source_high", "source_low", "peer_high", "peer_low", "expires"),
        ],
        "formats": [
            *("<u4", "<u2", "<u2", "u1", "u1", ">u2", ">u2"),
            *(">u8", ">u8", ">u8", ">u8", "<u4"),
        ],
        "offsets": [0, 4, 6, 17, 18, 20, 22, 24, 32, 40, 48, 68],
        "itemsize": 72,
    }
)

Array = np.ndarray[Any, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class TupleTable:
    """One entry per socket in each column.

    Attributes:
        state: uint8, kernel state numbers (`sockdiag.STATE_NAMES`).
        source: uint64 of shape (n, 2), the local address's halves.
        peer: uint64 of shape (n, 2), the peer's.
        sport: uint16.
        dport: uint16, 0 for a listener.
        timer_ms: uint32, until the running timer fires; in TIME_WAIT until it ends.
        complete: False when the table changed under the dump.
    """

    state: Array
    source: Array
    peer: Array
    sport: Array
    dport: Array
    timer_ms: Array
    complete: bool

    def __len__(self) -> int:
        return len(self.state)


def read_tuple_table() -> TupleTable:
    """Dump this namespace's TCP sockets, IPv4 and IPv6.

    Raises:
        OSError: netlink failed.
    """
    parts: list[tuple[Array, Array, Array]] = []
    complete = True
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _SOCK_DIAG) as netlink:
        netlink.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        netlink.settimeout(5.0)
        for family in (socket.AF_INET, socket.AF_INET6):
            # Messages of one length are read far faster, and those of TIME_WAIT are shorter.
            for states in (ALL_STATES & ~(1 << TIME_WAIT), 1 << TIME_WAIT):
                try:
                    complete = _dump(netlink, family, states, parts) and complete
                except OSError as error:  # a kernel without IPv6
                    if family == socket.AF_INET or error.errno not in _ABSENT:
                        raise
    heads = np.concatenate([head for head, _, _ in parts])
    return TupleTable(
        state=heads["state"].copy(),
        source=np.concatenate([source for _, source, _ in parts]),
        peer=np.concatenate([peer for _, _, peer in parts]),
        sport=heads["sport"].astype(np.uint16),
        dport=heads["dport"].astype(np.uint16),
        timer_ms=heads["expires"].astype(np.uint32),
        complete=complete,
    )


def _dump(
    netlink: socket.socket,
    family: socket.AddressFamily,
    states: int,
    parts: list[tuple[Array, Array, Array]],
) -> bool:
    """Append what one dump says; gives whether it was whole."""
    body = struct.pack("=BBBxI48x", family, socket.IPPROTO_TCP, 0, states)
    netlink.send(struct.pack("=IHHII", 16 + len(body), _BY_FAMILY, _REQUEST_DUMP, 1, 0) + body)
    complete, done = True, False
    while not done:
        heads, done, whole = parse_datagram(netlink.recv(1 << 18), _HEAD)
        complete = complete and whole
        four = family == socket.AF_INET
        parts.append((heads, _address(heads, "source", four), _address(heads, "peer", four)))
    return complete


def _address(heads: Array, name: str, four: bool) -> Array:
    """Both halves in host order; IPv4, which stands in the first four bytes, as mapped."""
    high, low = (heads[f"{name}_{half}"].astype(np.uint64) for half in ("high", "low"))
    if four:
        high, low = np.zeros_like(high), (high >> np.uint64(32)) | np.uint64(_MAPPED << 32)
    return np.stack([high, low], axis=1)


def address_text(high: int, low: int) -> str:
    """An address in its usual form; a mapped one as IPv4."""
    if high == 0 and low >> 32 == _MAPPED:
        return str(ipaddress.IPv4Address(low & 0xFFFF_FFFF))
    return str(ipaddress.IPv6Address(high << 64 | low))
