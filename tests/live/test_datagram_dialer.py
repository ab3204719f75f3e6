"""UDP sockets dialed as connections are: a port of our list each, and back on it at once."""

from __future__ import annotations

import errno
import os

import pytest

from simulator.live.datagram_dialer import DatagramDialer
from simulator.live.dialer import FAILED
from simulator.ports.range import PortRange
from simulator.records import Call
from simulator.seeds import pure_random
from tests.support.resolvers import udp

PORTS = PortRange(21_500, 21_503)
#: One for each test: several may run at once.
ADDRESSES = ("127.1.12.1", "127.1.12.2", "127.1.12.3")
PEER = "127.2.12.1"


def dialer(address: str) -> DatagramDialer:
    return DatagramDialer((address,), PORTS, "sequential", pure_random(1, "ports"))


def test_each_question_has_a_port_and_only_its_peer_is_heard() -> None:
    found = dialer(ADDRESSES[0])
    with udp(PEER) as peer, udp(PEER) as stranger:
        fd = found.dial(found.destination(*peer.getsockname()))
        assert (found.last_port, found.last_error) == (PORTS.first, 0)
        os.write(fd, b"question")
        data, where = peer.recvfrom(100)
        assert (data, where) == (b"question", (ADDRESSES[0], PORTS.first))
        stranger.sendto(b"lie", where)
        peer.sendto(b"answer", where)
        assert os.read(fd, 100) == b"answer"
        found.reset(fd)
        assert found.free_ports(0) == len(PORTS)


def test_a_full_list_and_a_port_that_somebody_has() -> None:
    found = dialer(ADDRESSES[1])
    with udp(PEER) as peer, udp(ADDRESSES[1], PORTS.first + 1):
        where = found.destination(*peer.getsockname())
        fds = [found.dial(where) for _ in range(3)]
        assert FAILED not in fds
        assert found.statistics().lost_races == 1
        assert found.dial(where) == FAILED
        assert (found.last_call, found.last_error) == (Call.BIND, errno.EADDRINUSE)
        found.close_all()
    assert found.statistics().open == 0


def test_nobody_there_is_felt_at_the_next_call() -> None:
    found = dialer(ADDRESSES[2])
    with udp(PEER) as gone:
        where = gone.getsockname()
    fd = found.dial(found.destination(*where))
    os.write(fd, b"question")
    with pytest.raises(ConnectionRefusedError):
        os.read(fd, 100)
    found.close_all()
