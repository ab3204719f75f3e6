"""What policies need beside chance, from the scenario: the same for whoever runs them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from simulator.balancing.policies.select import PolicyOptions
from simulator.preflight.hops import hop_budgets, waits_ns
from simulator.records import Hop
from simulator.scenario.care import KEYED_POLICIES
from simulator.seeds import stream_key

if TYPE_CHECKING:
    from simulator.scenario.schema import Scenario

#: What "never comes back" is for a count of tuples.
_FOR_EVER_NS: Final = 1 << 62


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
