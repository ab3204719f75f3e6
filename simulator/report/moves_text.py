"""Moves of backends as lines of a summary: who left, and what that cost."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from simulator.units import format_count

if TYPE_CHECKING:
    from collections.abc import Mapping

#: Key of the summary's backends, and what it counts.
_COSTS: Final = (
    ("drained", "open connections drained"),
    ("cut", "cut"),
    ("hung", "left hanging"),
    ("refused_after_move", "dials refused at an old endpoint"),
    ("misdelivered", "delivered to another backend"),
)


def moves_lines(backends: Mapping[str, object]) -> list[str]:
    """Lines about moves; none when no backend moved.

    Args:
        backends: of a summary; what is missing or not a number is left out.
    """
    left, back = _count(backends, "left"), _count(backends, "back")
    flaps = _count(backends, "flaps")
    if flaps:
        refused = format_count(_count(backends, "refused_while_down"))
        return [f"{format_count(flaps)} stops of listening, {refused} dials refused meanwhile"]
    if not left and not back:
        return []
    costs = [f"{format_count(_count(backends, key))} {words}" for key, words in _COSTS]
    lines = [f"{format_count(left)} left, {format_count(back)} came back", ", ".join(costs)]
    waits = _count(backends, "waits")
    if waits:
        lines.append(f"no port could be had {format_count(waits)} times, and was waited for")
    return lines


def _count(backends: Mapping[str, object], key: str) -> int:
    value = backends.get(key)
    return value if isinstance(value, int) else 0
