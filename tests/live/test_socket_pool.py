"""A pool of UDP sockets on the real kernel: drawn at random, held on every address."""

from __future__ import annotations

import pytest
from scipy import stats

from simulator.live.socket_pool import PoolTooSmall, SocketPool
from simulator.ports.range import PortRange
from simulator.seeds import pure_random
from tests.support.resolvers import udp

PORTS = PortRange(55_000, 55_399)


def pool(size: int, *exclude: PortRange, ports: PortRange = PORTS, seed: int = 1) -> SocketPool:
    return SocketPool(size, ports, exclude, pure_random(seed, "pool"))


def test_every_port_is_held_on_all_addresses_until_it_is_closed() -> None:
    found = pool(50)
    try:
        assert len(set(found.ports)) == 50 == found.seen_by_kernel()
        assert [one.getsockname()[1] for one in found.sockets] == found.ports
        with pytest.raises(OSError, match="in use"):
            udp("127.4.12.1", found.ports[7])
    finally:
        port = found.ports[7]
        found.close()
    udp("127.4.12.1", port).close()


def test_excluded_ports_stay_free_and_held_ones_are_lost_races() -> None:
    ports = PortRange(55_000, 55_009)
    with udp("127.4.12.1", 55_003):
        found = pool(7, PortRange(55_008, 55_009), ports=ports)
        try:
            assert sorted(found.ports) == [*range(55_000, 55_003), *range(55_004, 55_008)]
            assert found.lost_races <= 1
            assert found.seen_by_kernel() == 7
        finally:
            found.close()
        with pytest.raises(PoolTooSmall, match="8 sockets got 7"):
            pool(8, PortRange(55_008, 55_009), ports=ports)
    again = pool(8, PortRange(55_008, 55_009), ports=ports)  # nothing was left behind
    again.close()


def test_draws_are_even_and_differ_from_seed_to_seed() -> None:
    counts = dict.fromkeys(range(PORTS.first, PORTS.last + 1), 0)
    for seed in range(40):
        found = pool(100, seed=seed)
        for port in found.ports:
            counts[port] += 1
        found.close()
    assert stats.chisquare(list(counts.values())).pvalue > 0.001
