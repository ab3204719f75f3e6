"""UDP sockets on the real kernel: a port on all addresses is nobody else's; packets can lie."""

from __future__ import annotations

import os
import socket

import pytest

from simulator.errors import Refused
from simulator.kernel.datagrams import ANY_ADDRESS, open_datagram, open_raw, udp_packet
from simulator.kernel.namespace import confine
from simulator.kernel.port_sockets import sockets_on
from tests.support.namespace import in_namespace


def test_a_port_on_all_addresses_is_lost_to_each_of_them() -> None:
    with open_datagram(ANY_ADDRESS, 0) or socket.socket() as pool:
        port = pool.getsockname()[1]
        for address in ("127.0.0.1", "127.4.0.9", ANY_ADDRESS):
            assert open_datagram(address, port) is None
    again = open_datagram("127.4.0.9", port)
    assert again is not None
    with again:
        assert not again.getblocking()


def test_an_address_that_is_not_ours_is_an_error() -> None:
    with pytest.raises(OSError, match="assign"):
        open_datagram("192.0.2.1", 0)


def _lie() -> tuple[bytes, tuple[str, int], int]:
    """Somebody listens, a server sits on another address, and a packet claims to be from there."""
    asker, server = open_datagram(ANY_ADDRESS, 50_000), open_datagram("127.4.0.1", 50_001)
    assert asker is not None
    assert server is not None
    with asker, server, open_raw() as raw:
        packet = udp_packet(("127.4.0.1", 50_001), ("127.0.0.1", 50_000), b"not from there")
        raw.sendto(packet, ("127.0.0.1", 0))
        asker.settimeout(5)
        data, peer = asker.recvfrom(100)
        seen = [one for one in sockets_on(50_000, 50_001).sockets if one.transport == "udp"]
    return data, peer, len(seen)


@pytest.mark.namespace
def test_a_packet_in_anothers_name_arrives_as_his() -> None:
    assert in_namespace(_lie) == (b"not from there", ("127.4.0.1", 50_001), 2)


def _raw_after_confinement() -> str:
    confine("root" if os.geteuid() == 0 else "user")
    try:
        open_raw().close()
    except Refused as refusal:
        return str(refusal)
    return ""


@pytest.mark.namespace
def test_without_the_right_it_is_refused_by_name() -> None:
    said = in_namespace(_raw_after_confinement)
    assert "balancer.resolver.forger" in said
    assert "CAP_NET_RAW" in said
