"""From a scenario to a DNS resolver and its forger."""

from __future__ import annotations

from typing import TYPE_CHECKING

from simulator.live.dns_settings import ForgerRole, ResolverRole
from simulator.live.settings import RoleSpec
from simulator.scenario.resolver import pool_range
from simulator.seeds import stream_key

if TYPE_CHECKING:
    from simulator.scenario.schema import Scenario


def resolver_roles(scenario: Scenario, front: tuple[str, int], loop: str) -> list[RoleSpec]:
    """The resolver, which is one process: the pool is its."""
    balancer, resolver = scenario.balancer, scenario.balancer.resolver
    assert resolver is not None, "only with driver: resolver"
    ports = pool_range(scenario)
    settings = ResolverRole(
        front=front,
        policy=balancer.policy.name,
        choices=balancer.policy.choices,
        pool_size=resolver.pool.size,
        pool_first=ports.first,
        pool_last=ports.last,
        exclude=tuple((one.first, one.last) for one in resolver.pool.exclude),
        choice=resolver.pool.choice,
        id_bits=resolver.id_bits,
        cache_ns=resolver.cache,
        timeout_ns=resolver.timeout,
        retries=balancer.retries,
        seed=stream_key(scenario.seed, "resolver") >> 65,
    )
    descriptors = balancer.descriptors
    return [
        RoleSpec(kind="balancer", index=0, settings=settings, descriptors=descriptors, loop=loop)
    ]


def forger_roles(scenario: Scenario, loop: str) -> list[RoleSpec]:
    """The forger, if there is one."""
    resolver = scenario.balancer.resolver
    if resolver is None or resolver.forger is None:
        return []
    forger, ports = resolver.forger, pool_range(scenario)
    knows_range = forger.knows == "range"
    settings = ForgerRole(
        rate_per_s=forger.rate,
        packets=forger.packets,
        first=ports.first if knows_range else 0,
        last=ports.last if knows_range else 0,
        idents=1 << resolver.id_bits,
        until_ns=scenario.duration_ns + scenario.grace,  # while questions may still wait
        seed=stream_key(scenario.seed, "forger") >> 65,
    )
    return [RoleSpec(kind="forger", index=0, settings=settings, loop=loop)]
