"""What stands in the way of comparing two runs, each with its reason.

A ratio of numbers that answer different questions is worse than none. What is listed here is
refused unless its reader insists, and then it stands above the table.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from simulator.measure.differences import flat

Summary = Mapping[str, Any]

INCOMPLETE: Final = "incomplete"
NOT_VALID: Final = "not-valid"
LOOP: Final = "loop"
ENGINE: Final = "engine"
LOAD: Final = "load"
#: So many of the keys in which two loads differ are named.
_NAMED: Final = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Obstacle:
    """One reason against a comparison.

    Attributes:
        code: "incomplete", "not-valid", "loop", "engine" or "load".
        side: name of the side that it is about.
        message: why, as a sentence without its full stop.
    """

    code: str
    side: str
    message: str

    def as_dict(self) -> dict[str, str]:
        """As `portchurn.comparison/1` holds it."""
        return {"code": self.code, "side": self.side, "message": self.message}


def of_pair(base: Summary, base_name: str, other: Summary, name: str) -> list[Obstacle]:
    """What makes a later side not comparable with the first.

    Args:
        base: summary of a run of the first side.
        base_name: name of the first side.
        other: summary of a run of the other.
        name: name of the other.
    """
    return [
        Obstacle(code=code, side=name, message=message)
        for code, message in (
            (LOOP, _loops(_loop(base), base_name, _loop(other), name)),
            (ENGINE, _engines(base, base_name, other, name)),
            (LOAD, _loads(base, base_name, other, name)),
        )
        if message
    ]


def _loop(summary: Summary) -> str:
    told = summary.get("loop")
    return str(told.get("kind", "open")) if isinstance(told, Mapping) else "open"


def _loops(kind: str, base_name: str, other_kind: str, name: str) -> str:
    if kind == other_kind:
        return ""
    return (
        f"{base_name} is {_a(kind)} loop and {name} {_a(other_kind)} one: users of a closed loop "
        f"ask less when they are answered slowly, so neither rates nor latencies mean the same"
    )


def _a(kind: str) -> str:
    return f"an {kind}" if kind == "open" else f"a {kind}"


def _engines(base: Summary, base_name: str, other: Summary, name: str) -> str:
    engines = [str(one.get("engine")) for one in (base, other)]
    if engines[0] == engines[1]:
        return ""
    return (
        f"{base_name} ran on the {engines[0]} and {name} on the {engines[1]}, where nothing costs "
        f"what it costs there; `portchurn compare FILE` holds the two engines against each other"
    )


def _loads(base: Summary, base_name: str, other: Summary, name: str) -> str:
    """Phases, arrivals, lifetimes and sizes are the load; all else may be what is compared."""
    phases = [_phases(one) for one in (base, other)]
    if phases[0] != phases[1]:
        told = " against ".join(", ".join(names) or "none" for names in phases)
        return f"{base_name} and {name} carry different loads: phases {told}"
    tables = [_traffic(one) for one in (base, other)]
    every = dict.fromkeys([*tables[0], *tables[1]])
    keys = [key for key in every if tables[0].get(key) != tables[1].get(key)]
    if keys:
        more = f" and {len(keys) - _NAMED} more" if len(keys) > _NAMED else ""
        told = ", ".join(
            f"{key} {tables[0].get(key, 'absent')} against {tables[1].get(key, 'absent')}"
            for key in keys[:_NAMED]
        )
        return f"{base_name} and {name} carry different loads: {told}{more}"
    planned = [_planned(one) for one in (base, other)]
    same = base.get("seed") == other.get("seed") and _retry(base) == _retry(other)
    if same and planned[0] != planned[1]:
        return (
            f"{base_name} planned {planned[0]} connections and {name} {planned[1]}, although "
            f"scenario and seed say the same; another version or another trace file made the plan"
        )
    return ""


def _retry(summary: Summary) -> object:
    """Further tries are rows of the plan."""
    scenario = summary.get("scenario")
    clients = scenario.get("clients") if isinstance(scenario, Mapping) else None
    return clients.get("retry") if isinstance(clients, Mapping) else None


def _phases(summary: Summary) -> list[str]:
    held = _held(summary)
    return [str(one.get("name")) for one in held if isinstance(one, Mapping)]


def _held(summary: Summary) -> list[Any]:
    scenario = summary.get("scenario")
    held = scenario.get("traffic") if isinstance(scenario, Mapping) else None
    return held if isinstance(held, list) else []


def _traffic(summary: Summary) -> dict[str, Any]:
    return dict(flat({"traffic": _held(summary)}))


def _planned(summary: Summary) -> object:
    attempts = summary.get("attempts")
    return attempts.get("planned") if isinstance(attempts, Mapping) else None


def same_plan(summaries: Sequence[Summary]) -> bool:
    """Whether runs carry the very same plan: one load, one seed, as many connections."""
    first = summaries[0]
    return all(
        _traffic(one) == _traffic(first)
        and one.get("seed") == first.get("seed")
        and _planned(one) == _planned(first)
        for one in summaries[1:]
    )
