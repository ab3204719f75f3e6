"""From a scenario to the role of a foreign balancer."""

from __future__ import annotations

from pathlib import Path

import pytest

from simulator.errors import Refused
from simulator.kernel import peers
from simulator.kernel.peers import Peer
from simulator.live import casting_driver
from simulator.live.casting import cast
from simulator.live.casting_driver import driver_role
from simulator.live.driver_settings import DriverRole
from simulator.preflight.places import FRONT
from tests.support.scenarios import small

THERE = Peer(name="haproxy", binary="/usr/sbin/haproxy", version="2.6")


@pytest.fixture(autouse=True)
def _installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(casting_driver, "look_for", lambda _name: THERE)


def test_times_are_in_ms_and_ports_only_where_it_takes_them_itself() -> None:
    scenario = small(
        "balancer={driver: haproxy, idle_timeout: 20ms, connect_timeout: 1s}",
        "kernel.port_range=50000-50099",
    )
    role = driver_role(scenario, FRONT, ())
    assert (role.idle_timeout_ms, role.connect_timeout_ms) == (20, 1_000)
    assert (role.first, role.last, role.check_every_ms) == (0, 0, 0)
    listed = small(
        "balancer={driver: haproxy, source: {ports: userspace, range: 51000-51009}}",
        "kernel.port_range=50000-50099",
    )
    role = driver_role(listed, FRONT, ("127.3.0.1",))
    assert (role.first, role.last, role.sources) == (51_000, 51_009, ("127.3.0.1",))


def test_an_nginx_that_passes_no_end_on_is_refused_unless_none_is_to_be(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    old = Peer(name="nginx", binary="/usr/sbin/nginx", version="1.18.0")
    monkeypatch.setattr(casting_driver, "look_for", lambda _name: old)
    with pytest.raises(Refused, match=r"half_close: is true, and nginx 1\.18\.0 ends both"):
        driver_role(small("balancer={driver: nginx}"), FRONT, ())
    ended = driver_role(small("balancer={driver: nginx, half_close: false}"), FRONT, ())
    assert not ended.half_close


def test_one_minder_stands_for_all_workers() -> None:
    scenario = small("balancer={driver: haproxy, workers: 2, source: {addresses: 2}}")
    (spec,) = [one for one in cast(scenario, Path("x"), 10).roles if one.kind == "balancer"]
    assert isinstance(spec.settings, DriverRole)
    assert spec.settings.workers == 2
    assert spec.settings.sources == ("127.3.0.1", "127.3.0.2")


def test_without_the_program_there_is_no_role(monkeypatch: pytest.MonkeyPatch) -> None:
    gone = Peer(name="haproxy", binary="", version="", missing="haproxy is not installed here")
    monkeypatch.setattr(casting_driver, "look_for", lambda _name: gone)
    assert peers.PACKAGES["haproxy"] == "haproxy"
    with pytest.raises(Refused, match="not installed"):
        driver_role(small("balancer.driver=haproxy"), FRONT, ())
