"""The dialer that a source's settings ask for, tried on a real listener."""

from __future__ import annotations

import socket
from typing import get_args

import pytest

from simulator.live.port_modes import Mode
from simulator.live.settings import SourceSettings
from simulator.live.sources import source_dialer
from tests.support.namespace import in_namespace

FIRST, LAST = 50_000, 50_009


def dial_three(mode: str, pick: str, seed: int) -> list[tuple[str, int]]:
    """Where three connections to one listener come from."""
    settings = SourceSettings(
        addresses=("127.1.0.1", "127.1.0.2"),
        mode=mode,
        pick=pick,
        first=FIRST,
        last=LAST,
        seed=seed,
    )
    dialer = source_dialer(settings, "test", 0)
    with socket.create_server(("127.4.0.1", 0)) as server:
        destination = dialer.destination(*server.getsockname())
        found = []
        for _ in range(3):
            fd = dialer.dial(destination)
            assert fd >= 0, dialer.last_error
            accepted, peer = server.accept()
            accepted.close()
            found.append(peer)
        dialer.close_all()
    return found


@pytest.mark.namespace
@pytest.mark.parametrize("mode", get_args(Mode))
def test_every_mode_connects_from_the_given_addresses_in_turn(mode: str) -> None:
    found = in_namespace(dial_three, mode, "random", 1)
    assert [address for address, _ in found] == ["127.1.0.1", "127.1.0.2", "127.1.0.1"]
    if mode in ("userspace", "permanent", "socket-range"):
        assert all(FIRST <= port <= LAST for _, port in found)


@pytest.mark.namespace
def test_same_seed_same_ports_and_another_seed_others() -> None:
    one, same, *others = (
        in_namespace(dial_three, "userspace", "random", seed) for seed in (1, 1, 2, 3, 4)
    )
    assert one == same
    assert any(other != one for other in others)


@pytest.mark.namespace
def test_a_sequential_source_goes_up() -> None:
    found = in_namespace(dial_three, "userspace", "sequential", 1)
    assert found[2][1] == found[0][1] + 1
