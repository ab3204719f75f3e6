"""From the policy of a scenario to the objects that carry it out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from simulator.balancing.load import Load, RankedLoad
from simulator.balancing.policies.bounded_hash import BoundedHash
from simulator.balancing.policies.choices import Choices
from simulator.balancing.policies.least_connections import LeastConnections
from simulator.balancing.policies.maglev import Maglev, table_size
from simulator.balancing.policies.most_budget import MostBudget
from simulator.balancing.policies.peak_ewma import PeakEwma
from simulator.balancing.policies.random_choice import RandomChoice
from simulator.balancing.policies.ring_hash import RingHash
from simulator.balancing.policies.round_robin import RoundRobin
from simulator.balancing.policies.source_hash import SourceHash
from simulator.balancing.policies.weighted_least_connections import WeightedLeastConnections
from simulator.balancing.policies.weighted_round_robin import WeightedRoundRobin
from simulator.balancing.tuple_use import TupleUse
from simulator.balancing.weighted_load import WeightedLoad
from simulator.balancing.weights import Weights

if TYPE_CHECKING:
    from collections.abc import Callable

    from simulator.balancing.policies.policy import Policy
    from simulator.seeds import Random


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyOptions:
    """What some policies need beside chance.

    Attributes:
        weights: repeated for as many backends as there are.
        bound: of ``bounded-hash``.
        backends: how many there may be at once; sizes the table of ``maglev``.
        salt: of the hashes; the same for all workers of a balancer.
        budget: tuples toward one backend, for ``most-budget``.
        hold_ns: how long one is held after its connection, for ``most-budget``.
    """

    weights: tuple[int, ...] = (1,)
    bound: float = 1.25
    backends: int = 1
    salt: int = 0
    budget: int = 28_232
    hold_ns: int = 0


_PLAIN: Final = PolicyOptions()


def select_policy(
    name: str,
    choices: int,
    generator: Random,
    *,
    start: int = 0,
    options: PolicyOptions = _PLAIN,
) -> Policy:
    """The policy of a scenario.

    Args:
        name: scenario ``policy.name``.
        choices: scenario ``policy.choices``; used by ``two-choices`` and ``choices``.
        generator: where its draws come from; each worker has a stream of its own.
        start: where round robin begins; workers begin at different places.
        options: what the policies with weights, hashes and budgets need.

    Raises:
        ValueError: there is no policy of that name.
    """
    weights, salt = Weights(options.weights), options.salt
    make: dict[str, Callable[[], Policy]] = {
        "round-robin": lambda: RoundRobin(start),
        "random": lambda: RandomChoice(generator),
        "least-connections": lambda: LeastConnections(generator),
        "two-choices": lambda: Choices(choices, generator),
        "choices": lambda: Choices(choices, generator),
        "weighted-round-robin": lambda: WeightedRoundRobin(weights, start),
        "weighted-least-connections": lambda: WeightedLeastConnections(generator),
        "peak-ewma": lambda: PeakEwma(generator),
        "source-hash": lambda: SourceHash(salt),
        "ring-hash": lambda: RingHash(weights, salt),
        "bounded-hash": lambda: BoundedHash(weights, options.bound, salt),
        "maglev": lambda: Maglev(table_size(options.backends), salt),
        "most-budget": lambda: MostBudget(generator),
    }
    if name not in make:
        raise ValueError(f"no policy is named {name}")
    return make[name]()


def select_load(
    name: str,
    options: PolicyOptions = _PLAIN,
    clock: Callable[[], int] | None = None,
) -> Load:
    """The load that a policy needs: ranked or counted in tuples for some, plain for all others.

    Args:
        name: scenario ``policy.name``.
        options: what the policies with weights and budgets need.
        clock: the present time in ns, for a load that holds tuples for a while; without one
            they are free as soon as their connection is closed.
    """
    if name == "least-connections":
        return RankedLoad()
    if name == "weighted-least-connections":
        return WeightedLoad(Weights(options.weights))
    if name == "most-budget":
        hold_ns = 0 if clock is None else options.hold_ns
        return TupleUse(options.budget, hold_ns, clock or (lambda: 0))
    return Load()
