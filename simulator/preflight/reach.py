"""Where closed forms reach: what of a scenario they do not know, by name and with the reason.

Tuples, their ceilings and the moment of a wall follow from ports and times whatever else is asked.
Counts of what succeeds and fails follow only when nothing feeds back and the load spreads evenly.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from simulator.preflight.hops import meetings
from simulator.preflight.nat import beyond_closed_forms
from simulator.scenario.care import KEYED_POLICIES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from simulator.scenario.schema import Scenario

#: Policies that give each backend its turn, so that the load spreads evenly to one connection.
EVEN_POLICIES: Final = ("round-robin", "least-connections", "most-budget")


@dataclass(frozen=True, slots=True, kw_only=True)
class NotApplied:
    """One thing that the closed forms do not know.

    Attributes:
        name: the key of the scenario.
        why: what it does to the counts.
    """

    name: str
    why: str


def not_applied(scenario: Scenario, fullest: float, *, is_walled: bool) -> tuple[NotApplied, ...]:
    """What keeps the counts from being predicted; empty when nothing does.

    Args:
        scenario: what is asked.
        fullest: most tuples toward backends that are in use at once, as a share of all of them;
            an uneven spread does no harm while one backend's own share would do for all.
        is_walled: whether some hop runs out.
    """
    found = [*_feedback(scenario), *_backends(scenario), *_spread(scenario, fullest)]
    found += beyond_closed_forms(scenario)
    checks = scenario.balancer.health_checks
    if is_walled and checks is not None and checks.close == "fin":
        found.append(
            ("balancer.health_checks", "checks and connections compete for the same ports")
        )
    return tuple(NotApplied(name=name, why=why) for name, why in found)


def _feedback(scenario: Scenario) -> Iterator[tuple[str, str]]:
    """Failures or waiting that change what is asked."""
    balancer, clients = scenario.balancer, scenario.clients
    if scenario.loop == "closed":
        yield "users", "a closed loop asks less the longer it waits"
    if clients.retry is not None:
        yield "clients.retry", "what fails is asked again, so that the load depends on the loss"
    if balancer.driver == "resolver":
        yield "balancer.driver", "a resolver's questions share ports by ID, and may time out"
    if balancer.on_no_port == "queue":
        yield "balancer.on_no_port", "connections wait for a port, so that the wall shows as delay"
    if balancer.cap is not None:
        yield "balancer.cap", "connections wait for a place at their backend"
    if balancer.ejection is not None:
        yield "balancer.ejection", "a backend that is left out takes its tuples with it"
    limits = {
        "clients": clients.descriptors,
        "balancer": balancer.descriptors,
        "backends": scenario.backends.descriptors,
        "sidecar": scenario.sidecar.descriptors if scenario.sidecar is not None else None,
    }
    for name, limit in limits.items():
        if limit is not None:
            yield f"{name}.descriptors", "descriptors may run out before ports do"
    if balancer.config is not None:
        yield "balancer.config", "a configuration of your own may do otherwise than the keys say"
    for text in meetings(scenario):
        yield "source", text


def _backends(scenario: Scenario) -> Iterator[tuple[str, str]]:
    """Backends that fail by themselves or answer later the more they are asked."""
    backends = scenario.backends
    faults = backends.faults
    if backends.churn is not None:
        yield "backends.churn", "backends leave and return, and connections meet old ports"
    if backends.refusing:
        yield "backends.refusing", "some backends refuse whatever the ports are"
    if faults.hanging or faults.slow or faults.error_rate or faults.leaks:
        yield "backends.faults", "some backends hang, are slow, answer with errors or never close"
    if backends.flapping is not None:
        yield "backends.flapping", "backends stop listening and begin again"
    if backends.address == "shared":
        yield "backends.address", "a client that connects from the port it calls meets itself"
    if backends.concurrency is not None:
        yield "backends.concurrency", "requests queue, so that connections are open for longer"
    if backends.accept_every:
        yield "backends.accept_every", "accept queues fill, whatever the ports are"
    gaps = [
        phase.think.mean_ns or phase.lifetime.mean_ns / max(1.0, phase.requests.mean)
        for phase in scenario.traffic
        if phase.requests.mean > 1
    ]
    longest = max(gaps, default=0)
    if backends.idle_timeout is not None:
        yield "backends.idle_timeout", "backends cut connections that are silent for so long"
    # Gaps vary; even with exponential ones, one in 22,000 is longer than ten times the mean.
    if scenario.balancer.driver != "none" and 10 * longest > scenario.balancer.idle_timeout:
        yield "balancer.idle_timeout", "the balancer cuts connections whose next request is late"


def _spread(scenario: Scenario, fullest: float) -> Iterator[tuple[str, str]]:
    """Load that does not spread evenly over the backends, where that matters."""
    count, balancer = scenario.backends.count, scenario.balancer
    policy = balancer.policy.name
    if balancer.driver == "nginx" and balancer.source.addresses > 1 and fullest > 0.5:
        yield "balancer.source", "nginx draws its source addresses by chance"
    if count == 1 or fullest <= 1 / count:
        return
    weights = scenario.backends.weights
    if balancer.load_age:
        yield "balancer.load_age", "old counts send the load to one backend at a time"
    if weights and len(set(weights)) > 1:
        yield "backends.weights", "some backends get more than their share of the tuples"
    if policy in KEYED_POLICIES:
        yield "balancer.policy", f"{policy} goes by the client, and clients are not spread evenly"
    elif policy not in EVEN_POLICIES and fullest > 0.5:
        yield "balancer.policy", f"{policy} spreads by chance, and the fullest backend fails first"
