"""From scenario to roles: nobody shares what must be his own, and every share adds up."""

from __future__ import annotations

import itertools
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.live.casting import cast, table_entries
from simulator.live.settings import (
    BackendRole,
    BalancerRole,
    ClientRole,
    CrewSettings,
    HopView,
    SamplerRole,
    SourceSettings,
)
from simulator.preflight.hops import hop_budgets
from simulator.preflight.places import (
    BACKEND_PREFIX,
    BALANCER_PREFIX,
    CLIENT_PREFIX,
    FRONT,
    FRONT_PREFIX,
    backend_addresses,
    client_addresses,
)
from simulator.records import Hop
from tests.support.runs import scenario

PREFIXES = {CLIENT_PREFIX, FRONT_PREFIX, BALANCER_PREFIX, BACKEND_PREFIX}
MODES = ["kernel", "early-bind", "late-bind", "socket-range", "userspace", "permanent"]


def crew(**changes: Any) -> CrewSettings:  # noqa: ANN401 - scenario values
    return cast(scenario(**changes), Path("folder"), 1000)


def settings_of(kind: type, settings: CrewSettings) -> list[Any]:
    return [role.settings for role in settings.roles if isinstance(role.settings, kind)]


def prefix_of(address: str) -> int:
    return int(ip_address(address)) >> 16


def test_each_party_has_a_prefix_of_its_own() -> None:
    assert len(PREFIXES) == 4
    assert prefix_of(FRONT[0]) == FRONT_PREFIX
    settings = crew(
        backends={"count": 7, "addresses": 3},
        balancer={"source": {"addresses": 2, "ports": "userspace"}},
    )
    (backend,) = settings_of(BackendRole, settings)
    (balancer,) = settings_of(BalancerRole, settings)
    (client,) = settings_of(ClientRole, settings)
    assert {prefix_of(one) for one in backend.addresses} == {BACKEND_PREFIX}
    assert {prefix_of(one) for one in balancer.source.addresses} == {BALANCER_PREFIX}
    assert {prefix_of(one) for one in client.source.addresses} == {CLIENT_PREFIX}
    assert len(client.source.addresses) == 16


SHARED = {"count": 2, "address": "shared", "ports": "fixed", "range": "50000-50009"}


def test_who_shares_an_address_is_told_apart_by_its_ports() -> None:
    settings = crew(backends=SHARED, balancer={"source": {"ports": "kernel"}})
    (backend,) = settings_of(BackendRole, settings)
    (balancer,) = settings_of(BalancerRole, settings)
    (sampler,) = settings_of(SamplerRole, settings)
    assert backend.addresses == ("127.0.0.1",) * 2
    assert balancer.source.addresses == ()
    assert balancer.source.may_meet_itself
    clients, backends = sampler.hops
    assert clients.listen_first == 0
    assert (backends.listen_first, backends.listen_last) == (50_000, 50_001)
    assert backends.destination_prefix == backends.source_prefix == 127 << 8


def test_who_names_its_address_cannot_meet_itself() -> None:
    settings = crew(backends=SHARED, balancer={"source": {"ports": "userspace"}})
    (balancer,) = settings_of(BalancerRole, settings)
    assert not balancer.source.may_meet_itself
    apart = crew(backends=SHARED | {"address": "own"}, balancer={"source": {"ports": "kernel"}})
    (balancer,) = settings_of(BalancerRole, apart)
    assert not balancer.source.may_meet_itself


@given(
    count=st.integers(1, 40), processes=st.integers(1, 12), hosts=st.integers(1, 8), data=st.data()
)
def test_every_backend_is_served_at_its_own_address_and_all_processes_work(
    count: int, processes: int, hosts: int, data: st.DataObject
) -> None:
    refusing = data.draw(st.integers(0, count))
    asked = scenario(
        backends={
            "count": count,
            "processes": processes,
            "addresses": hosts,
            "refusing": refusing,
            "ports": "permanent",
        }
    )
    roles: list[BackendRole] = settings_of(BackendRole, cast(asked, Path("folder"), 10))
    assert len(roles) == processes
    first = [role for role in roles if role.share == 0]
    assert sorted(one for role in first for one in role.ids) == list(range(count))
    assert sorted(one for role in first for one in role.refusing) == list(range(refusing))
    where = backend_addresses(asked)
    for role in roles:
        assert role.addresses == tuple(where[one] for one in role.ids)
        if processes <= count:
            assert role.shares == 1
            assert len(role.ids) - count // processes in (0, 1), "shares differ by one at most"
        else:
            assert len(role.ids) == 1
            alike = sorted(one.share for one in roles if one.ids == role.ids)
            assert alike == list(range(role.shares))
            assert role.shares - processes // count in (0, 1)
    assert len(set(where)) == min(count, hosts)


def ranges(sources: list[SourceSettings]) -> list[range]:
    return [range(one.first, one.last + 1) for one in sources]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("workers", [1, 3])
def test_workers_that_bind_ports_never_meet_and_those_that_do_not_share_the_range(
    mode: str, workers: int
) -> None:
    source = {"addresses": 2, "ports": mode}
    settings = crew(
        kernel={"port_range": "50000-50999"},
        balancer={"workers": workers, "source": source},
        clients={"processes": workers, "source": {**source, "addresses": 4}},
    )
    for kind in (BalancerRole, ClientRole):
        roles = settings_of(kind, settings)
        assert len(roles) == workers
        parts = ranges([role.source for role in roles])
        assert all(role.source.mode == mode for role in roles)
        if mode in ("userspace", "permanent"):
            assert not any(set(one) & set(other) for one, other in itertools.combinations(parts, 2))
            assert sum(map(len, parts)) == 1000
        else:
            assert set(parts) == {range(50_000, 51_000)}
        seeds = {role.source.seed for role in roles} | {role.seed for role in roles}
        assert len(seeds) == 2 * workers, "no two workers draw the same numbers"


def test_a_plain_connect_names_no_address_and_is_recorded_as_the_routed_one() -> None:
    plain = {"clients": {"source": {"addresses": 1, "ports": "kernel"}}}
    (client,) = settings_of(ClientRole, crew(**plain))
    assert client.source.addresses == ()
    assert client_addresses(scenario(**plain)) == ("127.0.0.1",)
    (balancer,) = settings_of(BalancerRole, crew())
    assert balancer.source.addresses == ()


def test_several_relays_share_the_front_and_one_does_not_need_to() -> None:
    for workers in (1, 2):
        roles = settings_of(BalancerRole, crew(balancer={"workers": workers}))
        assert [role.front for role in roles] == [FRONT] * workers
        assert [role.reuse_port for role in roles] == [workers > 1] * workers


def test_without_a_balancer_clients_pick_backends_themselves() -> None:
    settings = crew(balancer={"driver": "none", "policy": {"choices": 3}})
    assert not settings_of(BalancerRole, settings)
    (client,) = settings_of(ClientRole, settings)
    assert client.front is None
    assert (client.policy, client.choices) == ("choices", 3)


def test_phases_end_where_the_next_begins_and_holds_are_known() -> None:
    traffic = [
        {"name": "a", "for": "1s", "arrivals": {"constant": "10/s"}},
        {"name": "b", "for": "2s", "hold": {"connections": 5}},
    ]
    (client,) = settings_of(ClientRole, crew(traffic=traffic))
    assert client.hold_phases == (1,)


# What the sampler looks for.


def views(**changes: Any) -> dict[str, HopView]:  # noqa: ANN401 - scenario values
    (sampler,) = settings_of(SamplerRole, crew(**changes))
    return {view.name: view for view in sampler.hops}


@pytest.mark.parametrize("driver", ["own", "none"])
def test_each_driver_has_its_hops_and_budgets_are_those_of_the_arithmetic(driver: str) -> None:
    changes = {"balancer": {"driver": driver}, "backends": {"count": 3}}
    found = views(**changes)
    wanted = {budget.name: budget for budget in hop_budgets(scenario(**changes))}
    names = [Hop.CLIENT_BALANCER, Hop.BALANCER_BACKEND] if driver == "own" else [Hop.CLIENT_BACKEND]
    assert list(found) == [hop.label for hop in names] == list(wanted)
    for name, view in found.items():
        assert (view.budget, view.per) == (wanted[name].budget, wanted[name].per)


def test_a_hop_is_known_by_the_addresses_of_its_two_ends() -> None:
    ends = {
        name: (view.source_prefix, view.destination_prefix)
        for driver in ("own", "none")
        for name, view in views(balancer={"driver": driver}).items()
    }
    assert ends == {
        "client-balancer": (CLIENT_PREFIX, FRONT_PREFIX),
        "balancer-backend": (BALANCER_PREFIX, BACKEND_PREFIX),
        "client-backend": (CLIENT_PREFIX, BACKEND_PREFIX),
    }


@pytest.mark.parametrize(
    ("mode", "timestamps", "blocking_ms", "per", "bound"),
    [
        ("kernel", 1, 500, "tuple", False),
        ("late-bind", 1, 500, "tuple", False),
        ("socket-range", 1, 500, "tuple", False),
        ("userspace", 1, 0, "tuple", False),
        # bind() to port 0 knows no reuse delay, and without timestamps nothing is reused early.
        ("early-bind", 1, 60_000, "address", False),
        ("kernel", 0, 60_000, "tuple", False),
        ("userspace", 0, 60_000, "tuple", False),
        ("permanent", 1, 0, "address", True),
    ],
)
def test_how_long_time_wait_counts_depends_on_who_picks_the_port(
    mode: str, timestamps: int, blocking_ms: int, per: str, *, bound: bool
) -> None:
    view = views(
        kernel={"time_wait": "500ms", "sysctls": {"net.ipv4.tcp_timestamps": timestamps}},
        balancer={"source": {"ports": mode}},
    )["balancer-backend"]
    assert (view.blocking_ms, view.per, view.counts_bound) == (blocking_ms, per, bound)


# The crew as a whole.


@pytest.mark.parametrize("loop", ["uvloop", "asyncio"])
def test_every_role_runs_on_the_loop_asked_for_with_its_own_limit(loop: str) -> None:
    asked = scenario(
        backends={"descriptors": 100}, balancer={"descriptors": 200}, clients={"descriptors": 300}
    )
    settings = cast(asked, Path("folder"), 10, loop)
    assert {role.loop for role in settings.roles} == {loop}
    limits = {role.kind: role.descriptors for role in settings.roles}
    assert limits == {"backend": 100, "balancer": 200, "client": 300, "sampler": None}
    named = [(role.kind, role.index) for role in settings.roles]
    assert len(named) == len(set(named))


def test_same_scenario_same_crew_and_another_seed_other_draws() -> None:
    assert crew(seed=1) == crew(seed=1)
    assert crew(seed=1) != crew(seed=2)


@given(connections=st.integers(0, 5_000_000))
def test_the_socket_table_is_a_power_of_two_that_never_shrinks_with_more(connections: int) -> None:
    size = table_entries(connections)
    assert size & (size - 1) == 0
    assert table_entries(connections + 1) >= size
    assert size >= min(4 * connections, table_entries(5_000_000))
