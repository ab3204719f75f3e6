"""Endpoints keep their numbers; who listens there may change."""

from __future__ import annotations

from simulator.model.backends import Backend
from simulator.model.directory import Directory, HeldPorts
from simulator.ports.range import PortRange


def test_numbers_follow_the_order_of_telling_and_stay() -> None:
    directory = Directory(PortRange(50_000, 50_009))
    first, second = ("127.4.0.1", 20_001), ("127.4.0.1", 20_000)
    assert [directory.number(one) for one in (first, second, first)] == [0, 1, 0]
    assert directory.endpoints == [first, second]


def test_an_endpoint_is_whoever_listens_there_now() -> None:
    directory = Directory(PortRange(50_000, 50_009))
    one, other = Backend(0, "127.4.0.1", 1.0), Backend(1, "127.4.0.1", 1.0)
    endpoint = ("127.4.0.1", 50_003)
    number = directory.number(endpoint)
    assert directory.at(number) is None
    directory.takes(one, endpoint)
    assert directory.at(number) is one
    assert directory.held.ports == {50_003}
    directory.gives_back(endpoint)
    assert not directory.is_held(endpoint)
    assert directory.held.ports == set()
    directory.takes(other, endpoint)
    assert directory.at(number) is other


def test_a_port_is_held_while_anybody_listens_on_it_and_only_within_the_range() -> None:
    directory = Directory(PortRange(50_000, 50_009))
    backends = [Backend(at, f"127.4.0.{at + 1}", 1.0) for at in range(2)]
    for backend in backends:
        directory.takes(backend, (backend.address, 50_001))
    directory.takes(Backend(2, "127.4.0.1", 1.0), ("127.4.0.1", 20_000))
    directory.gives_back(("127.4.0.1", 50_001))
    assert directory.held.ports == {50_001}
    directory.gives_back(("127.4.0.2", 50_001))
    assert directory.held.ports == set()


def test_whoever_keeps_a_copy_of_held_ports_learns_when_it_is_old() -> None:
    held = HeldPorts()
    assert held.changes == 0
    assert HeldPorts([50_000]).changes == 1
    held.add(50_000)
    held.discard(50_000)
    held.add(50_001)
    assert (held.ports, held.changes) == ({50_001}, 3)
