"""What a run needs, against what a machine has: refused with the sum, or not at all."""

from __future__ import annotations

from dataclasses import replace

import pytest

from simulator.errors import EXIT_REFUSED, Refused
from simulator.kernel.limits import UNLIMITED, Machine
from simulator.preflight.examine import ROLE_DESCRIPTORS, Preflight, examine, ledger_bytes
from simulator.records import CONNECTION_COLUMNS, PLAN_COLUMNS
from simulator.traffic.plan import make_plan
from tests.support.scenarios import small

ROOMY = Machine(
    descriptors_soft=UNLIMITED,
    descriptors_hard=UNLIMITED,
    files_max=UNLIMITED,
    files_open=1000,
    memory_available_bytes=UNLIMITED,
    disk_free_bytes=UNLIMITED,
    processors=2,
    processes_max=30_000,
)
HOLD = "traffic.0={name: hold, for: 20s, hold: {connections: 30000, rate: 5000/s}}"


def flight(*flags: str, machine: Machine = ROOMY) -> Preflight:
    scenario = small(*flags)
    return examine(scenario, make_plan(scenario), machine)


def need(found: Preflight, role: str) -> int:
    return next(one.descriptors for one in found.roles if one.role == role) - ROLE_DESCRIPTORS


def test_descriptors_are_one_a_connection_and_two_in_the_relay() -> None:
    found = flight(HOLD, "balancer.source.addresses=2", "backends={count: 5, ports: permanent}")
    assert need(found, "client") == 30_000
    assert need(found, "balancer") == 60_000
    assert need(found, "backend") == 30_000 + 5
    assert found.peak_open == 30_000
    assert found.refusals == ()


def test_a_sidecar_needs_two_for_each_connection_as_the_balancer_does() -> None:
    found = flight(
        HOLD, "sidecar={source: {addresses: 2}}", "balancer.source.addresses=2",
        "backends.ports=permanent",
    )  # fmt: skip
    assert need(found, "sidecar") == need(found, "balancer") == 60_000
    one = flight(HOLD, "sidecar={}", "balancer.source.addresses=2", "backends.ports=permanent")
    # One address gives the sidecar 16,384 ports, and no more connections reach the balancer.
    assert need(one, "sidecar") == 30_000 + 16_384
    assert need(one, "balancer") == 2 * 16_384
    assert one.memory_bytes > flight(HOLD, "backends.ports=permanent").memory_bytes


def test_a_sidecar_with_too_few_descriptors_is_told_which_key_helps() -> None:
    tight = replace(ROOMY, descriptors_hard=20_000)
    found = flight(HOLD, "sidecar={source: {addresses: 2}}", machine=tight)
    assert [one for one in found.refusals if "set sidecar.workers:" in one]


def test_more_processes_share_the_load_but_a_hash_never_evenly() -> None:
    found = flight(
        HOLD,
        "clients.processes=3",
        "balancer={workers: 2, source: {addresses: 2}}",
        "backends={count: 4, processes: 2}",
    )
    assert need(found, "client") == 10_000
    assert 2 * 15_000 < need(found, "balancer") < 2 * 15_600
    assert 15_000 < need(found, "backend") < 15_600


def test_what_the_ports_cannot_carry_is_not_counted() -> None:
    found = flight(HOLD, "backends={ports: permanent}")  # one address: 16,384 ports
    assert need(found, "balancer") == 30_000 + 16_384
    assert need(found, "backend") == 16_384 + 1


def test_permanent_ports_keep_their_descriptors() -> None:
    flags = ["balancer.driver=none", "clients.source.ports=permanent", "backends.ports=permanent"]
    found = flight(*flags, "traffic.0.arrivals.constant=500/s", "traffic.0.lifetime=10ms")
    assert need(found, "client") == 500 + found.peak_open


def test_a_machine_with_few_descriptors_refuses_with_the_sum_and_the_way_out() -> None:
    small_machine = replace(ROOMY, descriptors_hard=20_000)
    found = flight(HOLD, "balancer.source.addresses=2", machine=small_machine)
    client = next(text for text in found.refusals if text.startswith("client"))
    assert client == (
        "client: 30,000 open connections + 64 of its own = 30,064 descriptors in one process, but "
        "the hard limit is 20,000; set clients.processes: 2, or raise the limit (ulimit -Hn)"
    )
    with pytest.raises(Refused) as error:
        found.refuse()
    assert error.value.exit_code == EXIT_REFUSED
    assert all(text in str(error.value) for text in found.refusals)


@pytest.mark.parametrize("role", ["clients", "balancer", "backends"])
def test_the_way_out_leads_out(role: str) -> None:
    machine = replace(ROOMY, descriptors_hard=4096)
    key = {"balancer": "balancer.workers"}.get(role, f"{role}.processes")
    flags = [HOLD, "balancer.source.addresses=2", "backends.count=64"]
    (told,) = (text for text in flight(*flags, machine=machine).refusals if f"set {key}:" in text)
    advice = told.split(f"set {key}: ")[1].split(",")[0]
    after = flight(*flags, f"{key}={advice}", machine=machine)
    assert not any(f"set {key}:" in text for text in after.refusals)


def test_a_limit_that_the_scenario_sets_is_an_experiment_and_not_a_refusal() -> None:
    found = flight(
        HOLD, "clients.descriptors=64", "balancer.descriptors=64", "backends.descriptors=64"
    )
    assert found.refusals == ()
    assert [one.limit for one in found.roles if one.is_chosen] == [64, 64, 64]


@pytest.mark.parametrize(
    ("machine", "words"),
    [
        (replace(ROOMY, files_max=50_000), "fs.file-max leaves 50,000 - 1,000 = 49,000"),
        (replace(ROOMY, memory_available_bytes=1 << 28), "80% of the available 256MiB"),
        (replace(ROOMY, disk_free_bytes=1 << 20), "but 1MiB are free"),
        (replace(ROOMY, processes_max=5), "but 5 are the most"),
    ],
    ids=["files", "memory", "disk", "processes"],
)
def test_each_limit_of_the_machine_is_held_against_the_need(machine: Machine, words: str) -> None:
    (only,) = flight(HOLD, machine=machine).refusals
    assert words in only


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["clients={processes: 4, source: {range: 60000-60002}}"], "3 ports of 60000-60002"),
        (["backends.count=30", "kernel.port_range=50000-50009"], "10 ports of 50000-50009 x 1"),
    ],
)
def test_ranges_that_are_too_small_are_refused(flags: list[str], words: str) -> None:
    (only,) = flight(*flags).refusals
    assert words in only


def test_memory_grows_with_what_is_held_and_disk_with_what_is_planned() -> None:
    none, held = flight(), flight(HOLD, "balancer.source.addresses=2")
    per_connection = (held.memory_bytes - none.memory_bytes) / 30_000
    assert 12_000 < per_connection < 20_000  # two hops of 6 KiB, and what roles keep
    row = sum(int(kind[-1]) for kind in (*PLAN_COLUMNS.values(), *CONNECTION_COLUMNS.values()))
    plan = make_plan(small(HOLD))
    assert ledger_bytes(plan) == 30_000 * (row + 8)
    assert held.disk_bytes > ledger_bytes(plan)


def test_it_says_how_long_it_takes_and_what_it_is() -> None:
    found = flight("grace=4s")
    assert 5 <= found.seconds <= 9
    assert found.digest == make_plan(small()).digest
    assert (found.connections, found.requests, found.asked_peak_per_s) == (10, 10, 10.0)
    assert [hop.name for hop in found.hops] == ["client-balancer", "balancer-backend"]


def test_users_of_a_closed_loop_may_all_wait_at_once() -> None:
    found = flight("traffic.0.users={count: 300, think: 50ms}")
    assert found.peak_open == 300
    assert any("6,000 connections at most" in note for note in found.notes)


def test_retries_are_rows_but_no_load_that_is_planned_for() -> None:
    plain = flight()
    found = flight("clients.retry={attempts: 4}")
    assert found.connections == 4 * plain.connections == 40
    assert found.peak_open == plain.peak_open
    assert found.asked_peak_per_s == plain.asked_peak_per_s
    assert found.disk_bytes > plain.disk_bytes
    assert any("up to 30 of 40 connections are retries" in note for note in found.notes)
