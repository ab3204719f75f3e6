"""UDP sockets that are bound and kept, and datagrams in somebody else's name.

A raw socket with a header of our own writes whatever source address it likes; the kernel asks for
CAP_NET_RAW over the network namespace, so it is opened before rights are given up. It can only
send, and in a namespace whose only link is loopback nothing it sends goes anywhere else.

Source: raw(7), IPPROTO_RAW and IP_HDRINCL; RFC 791 section 3.1; RFC 768 (a checksum of 0: none).
"""

from __future__ import annotations

import errno
import ipaddress
import socket
from struct import Struct
from typing import Final

from simulator.errors import Refused

_DATAGRAM: Final = int(socket.SOCK_DGRAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
_IP_HEADER: Final = Struct(">BBHHHBBH4s4s")
_UDP_HEADER: Final = Struct(">HHHH")
_VERSION_AND_WORDS: Final = 0x45
_TIME_TO_LIVE: Final = 64
ANY_ADDRESS: Final = "0.0.0.0"


def open_datagram(address: str, port: int) -> socket.socket | None:
    """A non-blocking UDP socket bound there and shared with nobody; None when somebody is there.

    Args:
        address: IPv4 address; `ANY_ADDRESS` takes the port on all of them.
        port: which, 0 = the kernel picks.

    Raises:
        OSError: no descriptor is left, or the address is not ours.
    """
    sock = socket.socket(socket.AF_INET, _DATAGRAM)
    try:
        sock.bind((address, port))
    except OSError as error:
        sock.close()
        if error.errno != errno.EADDRINUSE:
            raise
        return None
    return sock


def open_raw() -> socket.socket:
    """A socket that sends whole IPv4 packets, source address included, and receives nothing.

    Raises:
        Refused: this system does not let us; nothing else can stand in for it.
    """
    kind = socket.SOCK_RAW | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC
    try:
        return socket.socket(socket.AF_INET, kind, socket.IPPROTO_RAW)
    except PermissionError as error:
        raise Refused(
            "A forger sends packets in another's name, and this kernel does not give the right to "
            f"(CAP_NET_RAW: {error.strerror}), not even in a network namespace of our own. Leave "
            "out balancer.resolver.forger, or run where that is allowed."
        ) from error


def udp_packet(source: tuple[str, int], destination: tuple[str, int], payload: bytes) -> bytes:
    """A whole IPv4 packet with a UDP datagram; length, ID and header checksum are the kernel's.

    Args:
        source: address and port that it claims to come from.
        destination: address and port that it goes to.
        payload: what the datagram carries.
    """
    size = _UDP_HEADER.size + len(payload)
    head = _IP_HEADER.pack(
        *(_VERSION_AND_WORDS, 0, _IP_HEADER.size + size, 0, 0),
        *(_TIME_TO_LIVE, socket.IPPROTO_UDP, 0),
        *(ipaddress.IPv4Address(one[0]).packed for one in (source, destination)),
    )
    return head + _UDP_HEADER.pack(source[1], destination[1], size, 0) + payload
