"""What a foreign balancer needs: to be there, and descriptors in as many processes as it has."""

from __future__ import annotations

import pytest

from simulator.kernel.peers import Peer
from simulator.preflight import drivers
from simulator.preflight.drivers import (
    driver_descriptors,
    driver_refusals,
    driver_words,
    relay_processes,
)
from tests.support.scenarios import small


@pytest.fixture
def gone(monkeypatch: pytest.MonkeyPatch) -> None:
    missing = "nginx is not installed here; on Debian: apt-get install nginx-light"
    peer = Peer(name="nginx", binary="", version="", missing=missing)
    monkeypatch.setattr(drivers, "look_for", lambda _name: peer)


@pytest.mark.usefixtures("gone")
def test_an_absent_program_is_refused_with_its_package() -> None:
    (refusal,) = driver_refusals(small("balancer.driver=nginx"))
    assert refusal.startswith("balancer.driver is nginx, but nginx is not installed here")
    assert "apt-get install" in refusal
    assert "apt-get install" in driver_words(small("balancer.driver=nginx"))


@pytest.mark.usefixtures("gone")
def test_ours_needs_nobody() -> None:
    assert driver_refusals(small()) == []
    assert driver_descriptors(small()) == ("", 0)


def test_haproxys_workers_are_threads_of_one_process() -> None:
    assert relay_processes(small("balancer={driver: haproxy, workers: 4}")) == 1
    assert relay_processes(small("balancer={driver: nginx, workers: 4}")) == 4
    assert relay_processes(small("balancer.workers=4")) == 4


def test_each_server_line_costs_descriptors_too() -> None:
    _, few = driver_descriptors(small("balancer.driver=haproxy"))
    _, many = driver_descriptors(
        small("balancer={driver: haproxy, source: {addresses: 10}}", "backends.count=100")
    )
    assert many - few >= 2 * 999


def test_it_is_named_with_its_version(monkeypatch: pytest.MonkeyPatch) -> None:
    peer = Peer(name="haproxy", binary="/usr/sbin/haproxy", version="2.6.12")
    monkeypatch.setattr(drivers, "look_for", lambda _name: peer)
    words = driver_words(small("balancer={driver: haproxy, workers: 2}"))
    assert words.startswith("haproxy 2.6.12 with 2 threads, policy round-robin")
