"""A sidecar of the model has a budget of its own, and its clients are told what became of them."""

from __future__ import annotations

import errno
from ipaddress import IPv4Address
from typing import TYPE_CHECKING

import numpy as np
import pytest

from simulator.model.sidecar import sidecar_addresses
from simulator.records import Call, Hop, Outcome
from tests.support.modelled import modelled, modelled_file
from tests.support.scenarios import small

if TYPE_CHECKING:
    from pathlib import Path

TEXT = """
title: three hops
seed: 12
kernel: {port_range: 50000-50199, time_wait: 500ms}
backends: {count: 4, ports: random, range: 20000-29999}
sidecar: {source: {addresses: 1, ports: kernel}}
balancer: {close: client, retries: 0}
traffic:
  - {name: only, for: 2s, arrivals: {constant: 300/s}, lifetime: 50ms}
"""


def test_each_hop_holds_its_tuples_by_its_own_number_of_destinations(tmp_path: Path) -> None:
    summary, run = modelled(TEXT, tmp_path)
    assert [hop["name"] for hop in summary["hops"]] == [
        "client-sidecar", "sidecar-balancer", "balancer-backend",
    ]  # fmt: skip
    # 300/s, each for 50 ms and 500 ms of TIME_WAIT: to one balancer, or to each of four backends.
    assert [hop["in_use_peak"] for hop in summary["hops"]][1:] == [
        pytest.approx(165, abs=2), pytest.approx(165 / 4, abs=2),
    ]  # fmt: skip
    worst = run.samples[15]["hops"]["sidecar-balancer"]["worst"]
    assert (worst["source"], worst["destination"]) == ("127.0.0.1", "127.2.0.1:8080")
    assert summary["attempts"]["ok"] == 600
    assert len(run.sidecar_dials["t_ns"]) == len(run.dials["t_ns"]) == 600


@pytest.mark.parametrize(
    ("close", "waits"), [("client", True), ("backend", False), ("reset", False)]
)
def test_who_closes_first_says_which_tuples_wait(tmp_path: Path, close: str, waits: bool) -> None:
    summary, _ = modelled(TEXT, tmp_path, f"balancer.close={close}")
    hop = summary["hops"][1]
    assert (hop["time_wait_peak"] > 100) == waits
    assert summary["attempts"]["ok"] == 600


def test_a_client_learns_that_the_sidecar_found_no_port(tmp_path: Path) -> None:
    summary, run = modelled(TEXT, tmp_path, "traffic.only.lifetime=0ms", "kernel.time_wait=1s")
    assert summary["verdict"]["code"] == "sidecar-source-ports"
    # 200 ports a second, for two seconds.
    assert summary["attempts"]["errors"] == {"sidecar-balancer/connect/EADDRNOTAVAIL": 200}
    assert summary["attributed"] == 200
    assert set(run.sidecar_refusals["hop"].tolist()) == {Hop.SIDECAR_BALANCER}
    assert set(run.connections["error"][run.connections["outcome"] == Outcome.FAILED]) == {
        errno.ECONNRESET
    }


@pytest.mark.parametrize("mode", ["kernel", "userspace", "late-bind"])
def test_a_client_learns_what_the_balancer_behind_the_sidecar_refused(
    tmp_path: Path, mode: str
) -> None:
    given = ("backends.refusing=2", f"sidecar.source={{addresses: 2, ports: {mode}}}")
    ranges = ("sidecar.source.range=40000-40999",) if mode == "userspace" else ()
    summary, run = modelled(TEXT, tmp_path, *given, *ranges)
    assert summary["attempts"]["errors"] == {"balancer-backend/connect/ECONNREFUSED": 300}
    assert summary["attributed"] == 300
    assert len(run.sidecar_cuts["t_ns"]) == len(run.refusals["t_ns"]) == 300
    near = {int(IPv4Address(one)) for one in ("127.6.0.1", "127.6.0.2")}
    assert set(run.sidecar_cuts["near_address"].tolist()) == near
    assert set(run.refusals["peer_address"].tolist()) == near


def test_a_reset_of_a_backend_is_passed_on_by_both_and_is_no_refusal(tmp_path: Path) -> None:
    given = ("backends.faults={error_rate: 1.0}", "backends.service_time=1ms")
    summary, run = modelled(TEXT, tmp_path, *given)
    assert summary["attempts"]["errors"] == {"client-sidecar/recv/ECONNRESET": 600}
    assert len(run.sidecar_cuts["t_ns"]) == 600
    assert len(run.refusals["t_ns"]) == 0


def test_the_balancer_sees_the_sidecar_and_not_its_clients(tmp_path: Path) -> None:
    _, run = modelled(TEXT, tmp_path, "balancer.policy=source-hash")
    assert len(set(run.dials["backend"].tolist())) == 1, "all come from one address"


def test_workers_of_the_sidecar_share_its_ports(tmp_path: Path) -> None:
    summary, run = modelled(TEXT, tmp_path, "sidecar.workers=3", "balancer.workers=2")
    counted = [line["accepted"] for line in run.roles if line["role"] == "sidecar"]
    assert len(counted) == 3
    assert min(counted) > 100
    assert sum(counted) == summary["attempts"]["ok"] == 600


def test_its_addresses_are_its_own_unless_routing_picks_them() -> None:
    assert sidecar_addresses(small()) == ()
    assert sidecar_addresses(small("sidecar={}")) == ("127.0.0.1",)
    two = small("sidecar={source: {addresses: 2, ports: late-bind}}")
    assert sidecar_addresses(two) == ("127.6.0.1", "127.6.0.2")


def test_the_shipped_scenario_holds_its_thresholds(tmp_path: Path) -> None:
    summary, run = modelled_file("sidecar", tmp_path)[""]
    assert all(one["holds"] for one in summary["thresholds"])
    failed = run.sidecar_dials["error"] != 0
    assert np.count_nonzero(failed) == summary["attempts"]["failed"]
    assert set(run.sidecar_dials["call"].tolist()) == {Call.CONNECT}
