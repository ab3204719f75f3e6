"""In what two runs or more differ besides their numbers: scenario, software, machine, settings.

A ratio without this is gossip. Where something stands is told by its path, such as
``kernel.port_range`` or ``host_settings.net.ipv4.tcp_tw_reuse``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

Summary = Mapping[str, Any]

#: Part of a summary -> what people call it, in the order in which it is told.
_PLACES: Final = {"scenario": "scenario", "sysctls": "namespace", "environment": "host"}
#: Keys that say what a run is about and change nothing in it.
_WORDS: Final = ("$schema", "title", "expect", "lesson", "thresholds", "variants")
#: What is never twice the same, and no property of the machine.
_FLEETING: Final = ("memory_available_bytes", "load_1min")
#: The load before a run is named from here on: one of two cores was busy half of the time.
_BUSY: Final = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One thing that is not the same everywhere.

    Attributes:
        place: "scenario", "namespace", "host" or "program".
        key: its path.
        values: one a run, None where it is not there.
    """

    place: str
    key: str
    values: tuple[Any, ...]

    def as_dict(self) -> dict[str, Any]:
        """As `portchurn.comparison/1` holds it."""
        return {"place": self.place, "key": self.key, "values": list(self.values)}


def flat(value: object, path: str = "") -> Iterator[tuple[str, Any]]:
    """Every leaf of nested mappings and lists with its path; phases go by their names."""
    if isinstance(value, Mapping) and value:
        for key, inner in value.items():
            yield from flat(inner, f"{path}.{key}" if path else str(key))
    elif isinstance(value, list) and any(isinstance(one, Mapping) for one in value):
        for index, inner in enumerate(value):
            name = inner.get("name", index) if isinstance(inner, Mapping) else index
            yield from flat(inner, f"{path}.{name}")
    elif isinstance(value, list):
        yield path, "[" + ", ".join(map(str, value)) + "]"
    else:
        yield path, value


def differences(summaries: Sequence[Summary]) -> list[Difference]:
    """What is not the same in all of these runs, the scenario's keys first.

    Args:
        summaries: `portchurn.summary/1` objects.
    """
    found = []
    for part, place in _PLACES.items():
        tables = [_leaves(part, summary) for summary in summaries]
        for key in dict.fromkeys(key for table in tables for key in table):
            values = tuple(table.get(key) for table in tables)
            if len(set(map(repr, values))) > 1:
                found.append(Difference(place=place, key=key, values=values))
    versions = tuple(summary.get("version") for summary in summaries)
    if len(set(versions)) > 1:
        found.append(Difference(place="program", key="portchurn", values=versions))
    return found + _busy(summaries)


def _leaves(part: str, summary: Summary) -> dict[str, Any]:
    held = summary.get(part)
    left_out = _WORDS if part == "scenario" else _FLEETING
    if not isinstance(held, Mapping):
        return {}
    kept = {key: one for key, one in held.items() if key not in left_out}
    return dict(flat(kept)) if kept else {}


def _busy(summaries: Sequence[Summary]) -> list[Difference]:
    """The load before the runs, where it was far apart."""
    loads = [_load(summary) for summary in summaries]
    known = [load for load in loads if load is not None]
    if not known or max(known) - min(known) < _BUSY:
        return []
    return [Difference(place="host", key="load_1min", values=tuple(loads))]


def _load(summary: Summary) -> float | None:
    environment = summary.get("environment")
    load = environment.get("load_1min") if isinstance(environment, Mapping) else None
    return float(load) if isinstance(load, int | float) else None
