"""From a scenario to what its relays need for policies and care: weights, keys, budgets, limits."""

from __future__ import annotations

from typing import TYPE_CHECKING

from simulator.balancing.policies.select import PolicyOptions
from simulator.live.care import CareSettings
from simulator.preflight.hops import hop_budgets, waits_ns
from simulator.records import Hop
from simulator.scenario.care import KEYED_POLICIES
from simulator.seeds import stream_key

if TYPE_CHECKING:
    from simulator.scenario.balancer import Balancer
    from simulator.scenario.schema import Scenario

#: What "never comes back" is for a count of tuples.
_FOR_EVER_NS = 1 << 62


def balancer_key(scenario: Scenario) -> str:
    """What a client's key is made of; "" where the policy looks at no client."""
    policy = scenario.balancer.policy
    return policy.key if policy.name in KEYED_POLICIES else ""


def policy_options(scenario: Scenario) -> PolicyOptions:
    """What the policies with weights, hashes and budgets need; the same for every worker."""
    balancer = scenario.balancer
    hops = {hop.name: hop for hop in hop_budgets(scenario)}
    hop = hops.get(Hop.BALANCER_BACKEND.label)
    held_ns = waits_ns(scenario, Hop.BALANCER_BACKEND)
    return PolicyOptions(
        weights=scenario.backends.weights or (1,),
        bound=balancer.policy.bound,
        backends=scenario.backends.count,
        salt=stream_key(scenario.seed, "policy-salt") >> 96,
        budget=0 if hop is None else hop.budget * hop.sources,
        hold_ns=_FOR_EVER_NS if held_ns is None else held_ns,
    )


def care_settings(balancer: Balancer) -> CareSettings:
    """What a relay is to do for its backends."""
    checks, ejection, budget = balancer.health_checks, balancer.ejection, balancer.retry_budget
    plain = CareSettings()
    return CareSettings(
        check_every_ns=checks.every if checks else 0,
        check_timeout_ns=checks.timeout if checks else plain.check_timeout_ns,
        check_fall=checks.fall if checks else plain.check_fall,
        check_rise=checks.rise if checks else plain.check_rise,
        check_resets=checks is not None and checks.close == "reset",
        eject_after=ejection.failures if ejection else 0,
        eject_ns=ejection.for_ns if ejection else plain.eject_ns,
        eject_silence_ns=(ejection.silence or 0) if ejection else 0,
        panic=balancer.panic,
        cap=balancer.cap or 0,
        queue_size=balancer.queue.size,
        queue_timeout_ns=balancer.queue.timeout,
        queues_for_ports=balancer.on_no_port == "queue",
        slow_start_ns=balancer.slow_start,
        retry_share=budget.share if budget else 0.0,
        retry_reserve=budget.reserve if budget else plain.retry_reserve,
        load_age_ns=balancer.load_age,
    )
