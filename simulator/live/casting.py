"""From a scenario to the roles of its crew: addresses, ports, share of the work."""

from __future__ import annotations

from dataclasses import replace
from itertools import accumulate
from typing import TYPE_CHECKING, Final

from simulator.kernel.sysctls import settings_for
from simulator.live.casting_care import care_settings
from simulator.live.casting_dns import forger_roles, resolver_roles
from simulator.live.casting_driver import driver_role, template_of
from simulator.live.casting_sidecar import sidecar_roles
from simulator.live.settings import (
    BackendRole,
    BalancerRole,
    ClientRole,
    CrewSettings,
    HopView,
    RoleSpec,
    SamplerRole,
    SourceSettings,
)
from simulator.preflight.hops import blocked_ns, hop_budgets, source_ports
from simulator.preflight.picking import balancer_key, policy_options
from simulator.preflight.places import (
    BACKEND_PREFIX,
    BALANCER_PREFIX,
    CLIENT_PREFIX,
    FRONT,
    FRONT_PREFIX,
    ROUTED_PREFIX,
    SIDECAR_FRONT,
    SIDECAR_FRONT_PREFIX,
    SIDECAR_PREFIX,
    backend_addresses,
    is_routed,
    source_addresses,
)
from simulator.records import Hop
from simulator.scenario.driver import FOREIGN
from simulator.scenario.resolver import has_resolver
from simulator.seeds import stream_key
from simulator.traffic.churn import first_backends
from simulator.traffic.flapping import first_down_ns, flapping_ids
from simulator.units import NS_PER_S

if TYPE_CHECKING:
    from pathlib import Path

    from simulator.scenario.schema import Scenario
    from simulator.scenario.source import Source

_TABLE_LEAST: Final = 1 << 13
_TABLE_MOST: Final = 1 << 21
_TICK_NS: Final = 100_000_000
#: Reports of all roles together; each costs the role and the conductor about 0.2 ms of a core.
_TICKS_PER_S: Final = 250


def source_settings(
    scenario: Scenario, source: Source, prefix: int, name: str, worker: int, workers: int
) -> SourceSettings:
    """A source as one of several workers is told of it: addresses and its slice of the ports."""
    ports = source_ports(scenario, source)
    if source.ports in ("userspace", "permanent"):
        ports = ports.slice(worker, workers)  # workers never meet on a port
    return SourceSettings(
        addresses=source_addresses(source, prefix),
        mode=source.ports,
        pick=source.pick,
        first=ports.first,
        last=ports.last,
        seed=stream_key(scenario.seed, name, worker) >> 65,
        datagrams=has_resolver(scenario),
        may_meet_itself=is_routed(source) and scenario.backends.address == "shared",
    )


def _backend_roles(scenario: Scenario, loop: str) -> list[RoleSpec]:
    backends = scenario.backends
    faults = backends.faults
    listen = backends.listen_range
    where = backend_addresses(scenario)
    specs = []
    for index in range(backends.processes):
        share, first = divmod(index, backends.count)
        ids = tuple(range(first, backends.count, backends.processes))
        flapping = tuple(one for one in ids if one in flapping_ids(scenario))
        settings = BackendRole(
            ids=ids,
            addresses=tuple(where[one] for one in ids),
            allocator=backends.ports,
            first=listen.first if listen else 0,
            last=listen.last if listen else 0,
            seed=stream_key(scenario.seed, "listeners") >> 65,
            backlog=backends.backlog,
            accept_every_ns=backends.accept_every,
            idle_timeout_ns=backends.idle_timeout or 0,
            refusing=tuple(one for one in ids if one < backends.refusing),
            absent=tuple(one for one in ids if one >= first_backends(scenario)),
            total=backends.count,
            shares=len(range(first, backends.processes, backends.count)),
            share=share,
            speaks=backends.kind,
            queue=backends.queue,
            concurrency=backends.concurrency or 0,
            error_rate=faults.error_rate,
            slow=tuple(one for one in ids if one >= backends.count - faults.slow),
            slow_factor=faults.slow_factor,
            hanging=tuple(one for one in ids if 0 <= one - backends.refusing < faults.hanging),
            chunk_bytes=backends.stream.chunk if backends.stream else 0,
            chunk_every_ns=backends.stream.every if backends.stream else 0,
            leaks=faults.leaks,
            flapping=flapping,
            flap_first_ns=tuple(first_down_ns(scenario, one) for one in flapping),
            flap_up_ns=backends.flapping.up if backends.flapping else 0,
            flap_down_ns=backends.flapping.down if backends.flapping else 0,
            flap_end_ns=scenario.duration_ns,
            missing=backends.zone.missing,
        )
        specs.append(
            RoleSpec(
                kind="backend",
                index=index,
                settings=settings,
                descriptors=backends.descriptors,
                loop=loop,
            )
        )
    return specs


def _balancer_roles(scenario: Scenario, folder: Path, loop: str) -> list[RoleSpec]:
    balancer = scenario.balancer
    if balancer.driver == "none":
        return []
    if has_resolver(scenario):
        return resolver_roles(scenario, FRONT, loop)
    if balancer.driver in FOREIGN:
        sources = source_addresses(balancer.source, BALANCER_PREFIX)
        role = driver_role(scenario, FRONT, sources, template_of(scenario, folder))
        return [RoleSpec(kind="balancer", index=0, settings=role, loop=loop)]
    return [
        RoleSpec(
            kind="balancer",
            index=index,
            settings=BalancerRole(
                front=FRONT,
                reuse_port=balancer.workers > 1,
                policy=balancer.policy.name,
                choices=balancer.policy.choices,
                source=source_settings(
                    scenario, balancer.source, BALANCER_PREFIX, "balancer", index, balancer.workers
                ),
                connect_timeout_ns=balancer.connect_timeout,
                idle_timeout_ns=balancer.idle_timeout,
                retries=balancer.retries,
                buffer_bytes=balancer.buffer,
                backlog=balancer.backlog,
                seed=stream_key(scenario.seed, "policy", index) >> 65,
                key=balancer_key(scenario),
                options=policy_options(scenario),
                care=care_settings(scenario.balancer),
                compiled=balancer.compiled,
                half_close=balancer.half_close,
            ),
            descriptors=balancer.descriptors,
            loop=loop,
        )
        for index in range(balancer.workers)
    ]


def _turns_end_ns(scenario: Scenario) -> tuple[int, ...]:
    """When each phase of a closed loop ends; nothing for an open loop."""
    if scenario.loop == "open":
        return ()
    return tuple(accumulate(phase.for_ns for phase in scenario.traffic))


def _client_front(scenario: Scenario) -> tuple[str, int] | None:
    """What clients connect to; None: straight to the backends."""
    if scenario.balancer.driver == "none":
        return None
    return FRONT if scenario.sidecar is None else SIDECAR_FRONT


def _client_roles(scenario: Scenario, folder: Path, loop: str) -> list[RoleSpec]:
    clients = scenario.clients
    return [
        RoleSpec(
            kind="client",
            index=index,
            settings=ClientRole(
                workers=clients.processes,
                folder=str(folder),
                source=source_settings(
                    scenario, clients.source, CLIENT_PREFIX, "client", index, clients.processes
                ),
                front=_client_front(scenario),
                policy=scenario.balancer.policy.name,
                choices=scenario.balancer.policy.choices,
                close=scenario.balancer.close,
                timeout_ns=clients.timeout,
                seed=stream_key(scenario.seed, "client-policy", index) >> 65,
                hold_phases=tuple(
                    at for at, phase in enumerate(scenario.traffic) if phase.hold is not None
                ),
                turns_end_ns=_turns_end_ns(scenario),
                speaks=scenario.backends.kind,
                names=scenario.backends.zone.names,
            ),
            descriptors=clients.descriptors,
            loop=loop,
        )
        for index in range(clients.processes)
    ]


def _blocking_ms(scenario: Scenario, source: Source) -> int:
    """How long the sampler counts a tuple in TIME_WAIT as in use, in ms."""
    blocked = blocked_ns(scenario, source)
    # A permanent port is held by the socket that is bound to it, not by its TIME_WAIT.
    return 0 if blocked is None else blocked // 1_000_000


def _hop_views(scenario: Scenario) -> tuple[HopView, ...]:
    if has_resolver(scenario):
        return ()  # tuples are of TCP; who asked from which UDP port is in the records
    ends = {
        Hop.CLIENT_BALANCER.label: (scenario.clients.source, CLIENT_PREFIX, FRONT_PREFIX),
        Hop.BALANCER_BACKEND.label: (scenario.balancer.source, BALANCER_PREFIX, BACKEND_PREFIX),
        Hop.CLIENT_BACKEND.label: (scenario.clients.source, CLIENT_PREFIX, BACKEND_PREFIX),
    }
    if scenario.sidecar is not None:
        source = scenario.sidecar.source
        ends[Hop.CLIENT_SIDECAR.label] = (
            scenario.clients.source,
            CLIENT_PREFIX,
            SIDECAR_FRONT_PREFIX,
        )
        ends[Hop.SIDECAR_BALANCER.label] = (source, SIDECAR_PREFIX, FRONT_PREFIX)
    views = []
    for hop in hop_budgets(scenario):
        source, near, far = ends[hop.name]
        shared = scenario.backends.address == "shared" and far == BACKEND_PREFIX
        listen = scenario.backends.listen_range if shared else None
        if shared:
            far = ROUTED_PREFIX
            near = ROUTED_PREFIX if is_routed(source) else near
        views.append(
            HopView(
                name=hop.name,
                destination_prefix=far,
                source_prefix=near,
                per=hop.per,
                budget=hop.budget,
                groups=hop.groups,
                blocking_ms=_blocking_ms(scenario, source),
                counts_bound=source.ports == "permanent",
                listen_first=listen.first if listen else 0,
                listen_last=listen.first + scenario.backends.count - 1 if listen else 0,
                port_first=source_ports(scenario, source).first,
                port_last=source_ports(scenario, source).last,
            )
        )
    return tuple(views)


def table_entries(connections: int) -> int:
    """Buckets of the run's own TCP table: a power of two, with room for every socket it may hold.

    A connection has up to four sockets, and what closes stays as TIME_WAIT for 60 s.
    """
    wanted = max(_TABLE_LEAST, min(4 * connections, _TABLE_MOST))
    return 1 << (wanted - 1).bit_length()


def cast(scenario: Scenario, folder: Path, connections: int, loop: str = "uvloop") -> CrewSettings:
    """All roles of one run.

    Args:
        connections: how many are planned.
        scenario: what to run.
        folder: the run's folder, whose ledger the generators map.
        loop: ``uvloop`` or ``asyncio``, for every role.
    """
    sampler = RoleSpec(
        kind="sampler",
        index=0,
        settings=SamplerRole(every_ns=scenario.sampling.every, hops=_hop_views(scenario)),
        loop=loop,
    )
    roles = (
        *_backend_roles(scenario, loop),
        *_balancer_roles(scenario, folder, loop),
        *sidecar_roles(scenario, FRONT, source_settings, loop),
        *_client_roles(scenario, folder, loop),
        *forger_roles(scenario, loop),
        sampler,
    )
    tick_ns = max(_TICK_NS, len(roles) * NS_PER_S // _TICKS_PER_S)
    return CrewSettings(
        sysctls=settings_for(scenario.kernel),
        # A sidecar has two sockets more for each connection.
        hash_entries=table_entries(connections + connections // 2 * bool(scenario.sidecar)),
        roles=tuple(replace(role, tick_ns=tick_ns) for role in roles),
    )
