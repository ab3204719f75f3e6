"""Listening ports on the real kernel: bound and kept, lost races counted, resting ones left."""

from __future__ import annotations

import socket

import pytest

from simulator.live.listening import NoPortLeft, PortTaker
from simulator.live.settings import BackendRole

ADDRESS = "127.4.8.1"


def taker(allocator: str = "permanent", first: int = 21_000, last: int = 21_002) -> PortTaker:
    settings = BackendRole(
        ids=(0,), addresses=(ADDRESS,), allocator=allocator, first=first, last=last
    )
    return PortTaker(settings)


def test_what_was_taken_cannot_be_taken_again() -> None:
    found = taker()
    one, first = found.take(0, ADDRESS)
    two, second = found.take(0, ADDRESS)
    assert (first.port, first.lost_races) == (21_000, 0)
    assert (second.port, second.lost_races) == (21_001, 1)
    with socket.socket() as other, pytest.raises(OSError, match="in use"):
        other.bind((ADDRESS, first.port))
    one.close()
    two.close()


def test_a_resting_port_is_passed_over_and_is_no_lost_race() -> None:
    sock, lease = taker().take(0, ADDRESS, [21_000, 21_001])
    assert (lease.port, lease.lost_races) == (21_002, 0)
    sock.close()


def test_when_all_rest_or_are_held_there_is_no_port() -> None:
    found = taker()
    sock, _ = found.take(0, ADDRESS)
    with pytest.raises(NoPortLeft, match="1 were held"):
        found.take(0, ADDRESS, [21_001, 21_002])
    sock.close()
    sock, lease = found.take(0, ADDRESS, [21_001, 21_002])  # to have failed costs nothing
    assert lease.port == 21_000
    sock.close()


def test_what_the_kernel_gives_must_have_rested_too() -> None:
    found = taker("kernel", 0, 0)
    sock, lease = found.take(0, ADDRESS)
    everything_else = [port for port in range(1, 65536) if port != lease.port]
    with pytest.raises(NoPortLeft):
        found.take(0, ADDRESS, everything_else)
    sock.close()


def test_another_error_than_a_held_port_is_raised() -> None:
    with pytest.raises(OSError, match="assign"):
        taker().take(0, "192.0.2.1")


def test_a_fixed_port_is_the_only_one_and_is_back_though_its_connections_live() -> None:
    found = taker("fixed")
    sock, lease = found.take(1, ADDRESS)
    assert lease.port == 21_001
    sock.listen(1)
    client = socket.create_connection((ADDRESS, lease.port))
    sock.setblocking(True)
    accepted, _ = sock.accept()
    with pytest.raises(NoPortLeft, match="1 were held"):
        found.take(1, ADDRESS)  # it listens
    sock.close()
    again, lease = found.take(1, ADDRESS)
    again.listen(1)
    assert lease.port == 21_001
    for one in (client, accepted, again):
        one.close()
