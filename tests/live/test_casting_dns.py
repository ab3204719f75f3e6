"""The crew of a resolver: one process that has the pool, and the forger only where there is one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from simulator.live.casting import cast
from simulator.live.dns_settings import ForgerRole, ResolverRole
from simulator.live.settings import BackendRole, ClientRole, CrewSettings, SamplerRole
from simulator.preflight.places import FRONT
from tests.support.runs import scenario


def crew(forger: dict[str, Any] | None = None, **resolver: Any) -> CrewSettings:  # noqa: ANN401
    asked = scenario(
        backends={"count": 2, "kind": "dns", "zone": {"names": 1, "missing": 1}},
        balancer={"driver": "resolver", "resolver": {**resolver, "forger": forger}},
    )
    return cast(asked, Path("folder"), 10)


def test_the_pool_and_the_times_are_those_of_the_scenario() -> None:
    pool = {"size": 7, "range": "50000-50099", "exclude": [50_001, "50010-50019"]}
    made = crew(pool=pool, id_bits=9, timeout="70ms", cache="5s")
    (role,) = [one.settings for one in made.roles if isinstance(one.settings, ResolverRole)]
    assert role.front == FRONT
    assert (role.pool_size, role.pool_first, role.pool_last) == (7, 50_000, 50_099)
    assert role.exclude == ((50_001, 50_001), (50_010, 50_019))
    assert (role.id_bits, role.timeout_ns, role.cache_ns) == (9, 70_000_000, 5_000_000_000)
    assert [one for one in made.roles if one.kind == "forger"] == []
    assert CrewSettings.from_json(made.to_json()) == made


def test_clients_and_servers_speak_dns_and_nobody_counts_tuples_of_tcp() -> None:
    by_kind = {one.kind: one.settings for one in crew().roles}
    client, server, sampler = by_kind["client"], by_kind["backend"], by_kind["sampler"]
    assert isinstance(client, ClientRole)
    assert (client.speaks, client.names, client.source.datagrams) == ("dns", 1, True)
    assert isinstance(server, BackendRole)
    assert (server.speaks, server.missing) == ("dns", 1)
    assert isinstance(sampler, SamplerRole)
    assert sampler.hops == ()


@pytest.mark.parametrize(("knows", "ports"), [("pool", (0, 0)), ("range", (49152, 65535))])
def test_a_forger_is_bounded_and_told_what_it_may_know(knows: str, ports: tuple[int, int]) -> None:
    made = crew({"rate": "200/s", "packets": 50, "knows": knows}, id_bits=10)
    (forger,) = [one.settings for one in made.roles if isinstance(one.settings, ForgerRole)]
    assert (forger.rate_per_s, forger.packets, forger.idents) == (200.0, 50, 1024)
    assert (forger.first, forger.last) == ports
    assert forger.until_ns == 4_000_000_000  # the phase and the grace
    assert CrewSettings.from_json(made.to_json()) == made
