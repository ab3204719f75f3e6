"""From the policy of a scenario to the objects that carry it out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from simulator.balancing.load import Load, RankedLoad
from simulator.balancing.policies.choices import Choices
from simulator.balancing.policies.least_connections import LeastConnections
from simulator.balancing.policies.random_choice import RandomChoice
from simulator.balancing.policies.round_robin import RoundRobin

if TYPE_CHECKING:
    from simulator.balancing.policies.policy import Policy
    from simulator.seeds import Random


def select_policy(name: str, choices: int, generator: Random, *, start: int = 0) -> Policy:
    """The policy of a scenario.

    Args:
        name: scenario ``policy.name``.
        choices: scenario ``policy.choices``; used by ``two-choices`` and ``choices``.
        generator: where its draws come from; each worker has a stream of its own.
        start: where round robin begins; workers begin at different places.

    Raises:
        ValueError: there is no policy of that name.
    """
    match name:
        case "round-robin":
            return RoundRobin(start)
        case "random":
            return RandomChoice(generator)
        case "least-connections":
            return LeastConnections(generator)
        case "two-choices" | "choices":
            return Choices(choices, generator)
    raise ValueError(f"no policy is named {name}")


def select_load(name: str) -> Load:
    """The load that a policy needs: ranked for ``least-connections``, plain for all others."""
    return RankedLoad() if name == "least-connections" else Load()
