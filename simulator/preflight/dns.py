"""What a resolver's pool takes from others, and how often its forger is believed, by arithmetic."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from simulator.ports.budget import ports_within
from simulator.ports.range import PortRange
from simulator.scenario.resolver import has_resolver, pool_range, usable_pool_ports
from simulator.theory.birthday import expected_repeats
from simulator.theory.forgery import spoofed_once, taken_by_pool
from simulator.traffic.churn import first_backends
from simulator.units import NS_PER_S, format_count, format_ns, format_rate

if TYPE_CHECKING:
    from simulator.scenario.schema import Scenario
    from simulator.traffic.plan import Plan


@dataclass(frozen=True, slots=True, kw_only=True)
class Odds:
    """RFC 5452, section 7.2, for one scenario and so many forged answers in a window.

    Attributes:
        servers, ports, idents: N, P and I, among which the forger guesses.
        packets: F, forged answers that come while a question waits.
        once: probability that one of them is believed.
    """

    servers: int
    ports: int
    idents: int
    packets: float
    once: float

    @property
    def combinations(self) -> int:
        """N x P x I."""
        return self.servers * self.ports * self.idents


def forgery_odds(scenario: Scenario, packets: float) -> Odds | None:
    """The formula for so many forged answers in a window; None where there is no forger."""
    resolver = scenario.balancer.resolver
    if resolver is None or resolver.forger is None:
        return None
    knows_pool = resolver.forger.knows == "pool"
    ports = resolver.pool.size if knows_pool else len(pool_range(scenario))
    servers, idents = scenario.backends.count, 1 << resolver.id_bits
    return Odds(
        servers=servers,
        ports=ports,
        idents=idents,
        packets=packets,
        once=spoofed_once(ports, packets, servers=servers, ids=idents),
    )


def later_services(scenario: Scenario) -> PortRange | None:
    """Fixed ports of services that start after the resolver, as far as its pool may take them."""
    backends, first = scenario.backends, first_backends(scenario)
    listen = backends.listen_range
    if not has_resolver(scenario) or backends.ports != "fixed" or listen is None:
        return None
    if first >= backends.count:
        return None
    ports = pool_range(scenario)
    low = max(ports.first, listen.first + first)
    high = min(ports.last, listen.first + backends.count - 1)
    return PortRange(low, high) if low <= high else None


def stolen_by_chance(scenario: Scenario) -> float:
    """How many of those services find their port taken, on average over draws of the pool."""
    resolver, late = scenario.balancer.resolver, later_services(scenario)
    if resolver is None or late is None:
        return 0.0
    open_to_pool = len(late) - ports_within(late, resolver.pool.exclude)
    return open_to_pool * taken_by_pool(resolver.pool.size, usable_pool_ports(scenario))


def distinct_ports(questions: int, pool: int) -> float:
    """Ports that so many questions leave by, when each is drawn at random: n (1 - (1 - 1/n)^q)."""
    return questions - expected_repeats(questions, pool)


def resolver_words(scenario: Scenario) -> str:
    """The resolver of a scenario in one line, and its forger."""
    resolver = scenario.balancer.resolver
    assert resolver is not None, "only with a resolver"
    forger, pool = resolver.forger, resolver.pool
    how = f"a resolver with {format_count(pool.size)} UDP sockets, chosen {pool.choice}"
    text = f"{how}, {resolver.id_bits} bits of ID, policy {scenario.balancer.policy.name}"
    if forger is None:
        return text
    most = f"{format_rate(forger.rate)}, {format_count(forger.packets)} packets at most"
    return f"{text}; a forger of its servers ({most})"


def pool_refusal(sentence: str, limit: int) -> str:
    """Why a pool does not fit into one process, which is where it has to be."""
    return (
        f"balancer: {sentence}, but the hard limit is {format_count(limit)}; lower "
        "balancer.resolver.pool.size, or raise the limit (ulimit -Hn)"
    )


def dns_notes(scenario: Scenario, plan: Plan) -> tuple[str, ...]:
    """What a reader of `explain` should know of a resolver; empty without one."""
    resolver = scenario.balancer.resolver
    if resolver is None:
        return ()
    pool, room = resolver.pool.size, usable_pool_ports(scenario)
    idents = 1 << resolver.id_bits
    found = [
        (
            f"socket pool: {format_count(pool)} of {format_count(room)} ports of "
            f"{pool_range(scenario)}, bound on all addresses; a given one of them is taken with "
            f"probability {format_count(pool)} / {format_count(room)} = "
            f"{100 * taken_by_pool(pool, room):.3g} %"
        ),
        (
            f"a question can leave in {format_count(pool)} ports x {format_count(idents)} IDs = "
            f"{format_count(pool * idents)} ways toward each server"
        ),
    ]
    if resolver.pool.choice == "random" and plan.connections and not resolver.cache:
        seen = distinct_ports(plan.connections, pool)
        found.append(
            f"{format_count(plan.connections)} questions leave by {format_count(round(seen))} "
            "distinct ports on average"
        )
    late = later_services(scenario)
    if late is not None:
        found.append(
            f"{format_count(len(late))} services want {late} after the pool was drawn: on average "
            f"{stolen_by_chance(scenario):.1f} of them find their port taken"
        )
    return (*found, *_forger_notes(scenario, plan))


def _forger_notes(scenario: Scenario, plan: Plan) -> tuple[str, ...]:
    resolver = scenario.balancer.resolver
    assert resolver is not None, "only with a resolver"
    forger = resolver.forger
    if forger is None:
        return ()
    wait_ns = float(np.mean(plan.service_ns)) if len(plan.service_ns) else 0.0
    odds = forgery_odds(scenario, forger.rate * wait_ns / NS_PER_S)
    assert odds is not None, "there is a forger"
    lasts_ns = min(forger.packets / forger.rate * NS_PER_S, scenario.duration_ns)
    met = int(np.count_nonzero(plan.columns["due_ns"] < lasts_ns))
    product = (
        f"{format_count(odds.servers)} server{'s' * (odds.servers > 1)} x "
        f"{format_count(odds.ports)} port{'s' * (odds.ports > 1)} x {format_count(odds.idents)} IDs"
    )
    return (
        (
            f"forger: {format_rate(forger.rate)} x {format_ns(wait_ns)} of waiting = "
            f"{odds.packets:.3g} answers a question, among {product} = "
            f"{format_count(odds.combinations)}: {100 * odds.once:.3g} % of questions (RFC 5452), "
            f"{met * odds.once:.1f} of the {format_count(met)} that he meets"
        ),
    )
