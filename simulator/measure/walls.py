"""Where the tuples of a hop end, by arithmetic, for a scenario and for changes of it.

Little's law: tuples in use = rate * (time open + time blocked after the close). So tuples divided
by that time is the highest rate that can go on, and a remedy's gain is the same division for the
scenario as the remedy would change it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from simulator.preflight.hops import every_budget, source_of, waits_ns
from simulator.records import Hop
from simulator.units import NS_PER_S, format_count, format_rate

if TYPE_CHECKING:
    from simulator.scenario.schema import Scenario

#: A connection that closes at once still takes the time of its handshake and answer.
LEAST_OPEN_S: Final = 1e-4
#: A wall this far off is not met: connecting alone costs more CPU than a core has.
BEYOND_PER_S: Final = 100_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Wall:
    """What a hop can carry when connections spread evenly over its groups.

    Attributes:
        tuples: of all groups together.
        open_s: how long a connection is open.
        blocked_s: how long its tuple stays blocked after the close; inf = never given back.
    """

    tuples: int
    open_s: float
    blocked_s: float

    @property
    def rate_per_s(self) -> float:
        """The highest rate of connections that can go on; 0 when tuples never come back."""
        held_s = max(self.open_s, LEAST_OPEN_S) + self.blocked_s
        return 0.0 if math.isinf(held_s) else self.tuples / held_s


def wall_of(scenario: Scenario, hop: Hop, open_s: float) -> Wall:
    """The wall of a hop, given how long connections were open (measured, seconds)."""
    [budget] = [one for one in every_budget(scenario) if one.name == hop.label]
    blocked = waits_ns(scenario, hop)
    return Wall(
        tuples=budget.total,
        open_s=open_s,
        blocked_s=math.inf if blocked is None else blocked / NS_PER_S,
    )


#: The part of a scenario whose `source` dials on a hop, where it is not the clients.
PART_OF: Final = {Hop.BALANCER_BACKEND: "balancer", Hop.SIDECAR_BALANCER: "sidecar"}


def with_source(scenario: Scenario, hop: Hop, **changes: Any) -> Scenario:  # noqa: ANN401 - fields
    """The scenario with some fields of a hop's `Source` changed, unchecked."""
    name = PART_OF.get(hop, "clients")
    part = getattr(scenario, name)
    source = source_of(scenario, hop).model_copy(update=changes)
    return scenario.model_copy(update={name: part.model_copy(update={"source": source})})


def with_part(scenario: Scenario, name: str, **changes: Any) -> Scenario:  # noqa: ANN401 - fields
    """The scenario with some fields of ``kernel``, ``backends`` or ``balancer`` changed."""
    part = getattr(scenario, name)
    return scenario.model_copy(update={name: part.model_copy(update=changes)})


def rate_text(rate_per_s: float) -> str:
    """A ceiling in words; one that is never met is not told to its last digit."""
    if rate_per_s > BEYOND_PER_S:
        return f"over {format_rate(BEYOND_PER_S)}, more than a core can connect"
    return format_rate(rate_per_s)


def moved(before: Wall, after: Wall, *, by_rate: bool) -> str:
    """How a change moves the wall, in words: in rate, or in connections at once."""
    if not by_rate:
        told = (format_count(before.tuples), format_count(after.tuples))
        return f"{told[0]} -> {told[1]} connections at once"
    return f"ceiling {rate_text(before.rate_per_s)} -> {rate_text(after.rate_per_s)}"


def gain(before: Wall, after: Wall, *, by_rate: bool) -> float:
    """By which factor a change moves the wall."""
    if not by_rate:
        return after.tuples / max(1, before.tuples)
    if not before.rate_per_s:
        return math.inf if after.rate_per_s else 1.0
    return after.rate_per_s / before.rate_per_s
