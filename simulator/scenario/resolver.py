"""A DNS resolver between stub clients and authoritative servers: its socket pool, and its forger.

The resolver is a driver of `balancer`, the servers are a kind of `backends`, and one goes only with
the other. What belongs to connections, which UDP does not have, is refused by name.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

from pydantic import Field

from simulator.ports.budget import ports_within
from simulator.scenario.fields import (
    Count,
    Mapping,
    Ports,
    RatePerS,
    ReservedPorts,
    TimeNs,
    as_written,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pydantic import BaseModel

    from simulator.ports.range import PortRange
    from simulator.scenario.fields import Where
    from simulator.scenario.phases import Phase
    from simulator.scenario.schema import Scenario

#: Largest pool that Windows DNS takes. Source: Microsoft, "Configure the Socket Pool".
MOST_SOCKETS: Final = 10_000
#: Policies that need neither the client nor a connection to pick by.
POLICIES: Final = ("round-robin", "random", "two-choices", "choices", "least-connections")
#: `request_size` unless given.
_REQUEST_BYTES: Final = 64
_BALANCER: Final = frozenset(
    {"driver", "resolver", "policy", "retries", "descriptors", "learns_after"}
)
_BACKENDS: Final = frozenset(
    {
        *("count", "processes", "addresses", "kind", "ports", "range", "service_time"),
        *("descriptors", "faults", "churn", "quarantine", "zone"),
    }
)
_PHASE: Final = frozenset(
    {"name", "for_ns", "warmup", "arrivals", "users", "requests", "response_size"}
)


class Zone(Mapping):
    """What authoritative servers know: names that exist, and names that do not."""

    names: Annotated[Count, Field(le=100_000)] = Field(
        default=1, description="different names that are asked for, in turn"
    )
    missing: Annotated[int, Field(ge=0, strict=True)] = Field(
        default=0, description="the first so many of them do not exist: NXDOMAIN"
    )


class Pool(Mapping):
    """UDP sockets that are bound when the resolver starts and kept until it ends."""

    size: Annotated[Count, Field(le=MOST_SOCKETS)] = Field(
        default=2500, description="sockets, each on a port of its own on all addresses"
    )
    exclude: tuple[ReservedPorts, ...] = Field(
        default=(), max_length=64, description="ports that the pool leaves to others"
    )
    range: Ports | None = Field(
        default=None,
        description="ports that the pool is drawn from at random; default: kernel.port_range",
    )
    choice: Literal["random", "in-turn"] = Field(
        default="random", description="which socket the next question leaves by"
    )


class Forger(Mapping):
    """Somebody off the path who sends answers in the servers' name and guesses what he must."""

    rate: Annotated[RatePerS, Field(le=50_000)] = Field(
        default=as_written("5000/s"), description="forged answers a second, from the start on"
    )
    packets: Annotated[Count, Field(le=2_000_000)] = Field(
        default=50_000, description="most forged answers in all"
    )
    knows: Literal["pool", "range"] = Field(
        default="pool",
        description=(
            "ports that he guesses among: those of the `pool`, as he would learn them from "
            "questions that reach a server of his own, or all of its `range`"
        ),
    )


class Resolver(Mapping):
    """How the resolver asks on behalf of stub clients."""

    pool: Pool = Field(default_factory=Pool, description="source ports of its questions")
    id_bits: Annotated[int, Field(ge=1, le=16, strict=True)] = Field(
        default=16,
        description="random bits of a question's ID; fewer than 16 make odds measurable in seconds",
    )
    cache: TimeNs = Field(
        default=as_written("0s"),
        description="how long an answer is kept and given again; 0s asks anew for every client",
    )
    timeout: Annotated[TimeNs, Field(gt=0)] = Field(
        default=as_written("1s"),
        description="wait for a server, before the next of `balancer.retries` or a SERVFAIL",
    )
    forger: Forger | None = Field(default=None, description="none unless given")


def pool_range(scenario: Scenario) -> PortRange:
    """Ports that the pool is drawn from, exclusions among them."""
    resolver = scenario.balancer.resolver
    assert resolver is not None, "only where there is a resolver"
    return resolver.pool.range or scenario.kernel.port_range


def usable_pool_ports(scenario: Scenario) -> int:
    """Ports that may become the pool's."""
    resolver = scenario.balancer.resolver
    assert resolver is not None, "only where there is a resolver"
    ports = pool_range(scenario)
    return len(ports) - ports_within(ports, resolver.pool.exclude)


def has_resolver(scenario: Scenario) -> bool:
    """Whether this is a scenario of DNS over UDP."""
    return scenario.balancer.driver == "resolver"


def resolver_fits(scenario: Scenario) -> list[tuple[Where, str]]:
    """What does not go together with a resolver, or only with one: path and message of each."""
    driver, kind = scenario.balancer.driver, scenario.backends.kind
    if not has_resolver(scenario):
        wrong: list[tuple[Where, str]] = []
        if kind == "dns":
            wrong.append(("backends.kind", "is dns, which needs balancer.driver: resolver"))
        if scenario.balancer.resolver is not None:
            wrong.append(("balancer.resolver", f"is not used with driver: {driver}; delete it"))
        if _given(scenario.backends.zone):
            wrong.append(("backends.zone", f"is not used by kind: {kind}, only by dns"))
        return wrong
    if kind != "dns":
        return [("balancer.driver", "is resolver, which needs backends.kind: dns")]
    return [
        *_keys(scenario),
        *_pool_fits(scenario),
        *_forger_fits(scenario),
        *((f"traffic.{at}.{key}", why) for at, one in enumerate(scenario.traffic)
          for key, why in _phase_fits(one)),
    ]  # fmt: skip


def _given(model: BaseModel) -> dict[str, Any]:
    """Keys of a part that do not have their default, and their values."""
    fields = type(model).model_fields
    values = {name: getattr(model, name) for name in fields}
    plain = type(model)()
    return {name: value for name, value in values.items() if value != getattr(plain, name)}


def _keys(scenario: Scenario) -> Iterator[tuple[Where, str]]:
    """Keys of connections, and of what our own relay alone does."""
    backends, balancer, clients = scenario.backends, scenario.balancer, scenario.clients
    for key in sorted(_given(balancer).keys() - _BALANCER):
        yield f"balancer.{key}", "is not used by driver: resolver; delete it"
    if balancer.policy.name not in POLICIES:
        known = ", ".join(POLICIES)
        yield "balancer.policy", f"is {balancer.policy.name}; the resolver has {known}"
    for key in sorted(_given(backends).keys() - _BACKENDS):
        yield f"backends.{key}", "is not used by kind: dns, which has no connections; delete it"
    if backends.processes > backends.count:
        yield "backends.processes", "is more than backends.count; a dns server is one process"
    if backends.zone.missing > backends.zone.names:
        names = backends.zone.names
        yield "backends.zone.missing", f"is more than the {names} names there are"
    if clients.source.ports != "userspace":
        what = "stub clients take their UDP ports from a list of their own"
        yield "clients.source.ports", f"is {clients.source.ports}, but {what}; write userspace"


def _phase_fits(phase: Phase) -> Iterator[tuple[str, str]]:
    odd = {
        "lifetime": phase.lifetime.mean_ns > 0,
        "think": phase.think.mean_ns > 0,
        "hold": phase.hold is not None,
        "request_size": phase.request_size != _REQUEST_BYTES,
    }
    for key, is_given in odd.items():
        if is_given:
            yield key, "is not used by kind: dns: one question, one answer; delete it"
    if phase.requests.constant != 1:
        yield "requests", "is not 1, but with kind: dns a row of the plan is one question"


def _pool_fits(scenario: Scenario) -> Iterator[tuple[Where, str]]:
    resolver, source = scenario.balancer.resolver, scenario.clients.source
    assert resolver is not None, "only where there is a resolver"
    ports, room = pool_range(scenario), usable_pool_ports(scenario)
    size = resolver.pool.size
    if size > room:
        what = f"is {size}, more than the {room} ports of {ports} that are not excluded"
        yield "balancer.resolver.pool.size", what
    theirs = source.range
    if theirs is not None and ports_within(ports, [theirs]):
        what = f"meets the clients' ports {theirs}, which the pool would take on every address"
        yield "balancer.resolver.pool.range", f"{ports} {what}; give clients.source.range"


def _forger_fits(scenario: Scenario) -> Iterator[tuple[Where, str]]:
    resolver = scenario.balancer.resolver
    if resolver is None or resolver.forger is None:
        return
    key = "balancer.resolver.forger"
    if scenario.backends.zone.names > 1:
        yield key, "answers one name, but backends.zone.names is more; write names: 1"
    if scenario.backends.churn is not None:
        yield key, "knows the servers as they are at the start; it does not go with backends.churn"
