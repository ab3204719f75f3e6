"""What kind of loop a run was, wherever its numbers stand, and why two kinds are no comparison.

In an open loop connections are due whatever happens; in a closed loop a user asks again only when
the answer has come, so that a slow service is asked less and looks better than it is.

Source: Schroeder, Wierman, Harchol-Balter, Open versus closed: a cautionary tale (NSDI 2006).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from simulator.units import format_count

Summary = Mapping[str, Any]

NOT_COMPARED: Final = (
    "open and closed loop are not compared: users of a closed loop ask less when they are answered "
    "slowly, so neither rates nor latencies of the two mean the same"
)


def loop_kind(summary: Summary) -> str:
    """``open`` or ``closed``; runs without the word are of a time that knew open ones only."""
    loop = summary.get("loop")
    return "closed" if isinstance(loop, Mapping) and loop.get("kind") == "closed" else "open"


def loop_words(summary: Summary) -> str:
    """The kind of loop as people read it, with the users of a closed one."""
    if loop_kind(summary) == "open":
        return "open loop"
    users = summary["loop"].get("users")
    return f"closed loop, {format_count(users)} users" if isinstance(users, int) else "closed loop"


def mixed_loops(summaries: Sequence[Summary]) -> str:
    """A warning for a table that holds both kinds; "" where there is but one."""
    kinds = {loop_kind(one) for one in summaries}
    return f"Side by side only: {NOT_COMPARED}." if len(kinds) > 1 else ""
