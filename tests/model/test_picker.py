"""Clients that pick backends themselves begin at different ones, and know where each is now."""

from __future__ import annotations

from simulator.model.directory import Directory
from simulator.model.picker import Picker
from simulator.ports.range import PortRange
from tests.support.scenarios import small


def test_processes_begin_round_robin_at_different_backends() -> None:
    directory = Directory(PortRange(50_000, 50_009))
    for worker in range(3):
        picker = Picker(small("balancer.driver=none"), worker, directory)
        assert picker.pick() == -1
        for backend in range(3):
            picker.insert(backend, "127.4.0.1", 20_000 + backend)
        assert [picker.pick() for _ in range(4)] == [(worker + at) % 3 for at in range(4)]


def test_a_backend_that_moved_is_another_destination() -> None:
    picker = Picker(small("balancer.driver=none"), 0, Directory(PortRange(50_000, 50_009)))
    picker.insert(0, "127.4.0.1", 20_000)
    picker.insert(0, "127.4.0.1", 20_001)
    assert picker.destination == {0: 1}
    picker.remove(0)
    assert picker.pick() == -1
