"""A look at a host's tuple budgets, for a terminal and for logs; the first line answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from rich.console import Group
from rich.text import Text

from simulator.report.bar import occupancy_bar
from simulator.units import format_count, format_ns, format_rate

if TYPE_CHECKING:
    from simulator.ports.watched import Destination, Look

#: A wall further away than this is no forecast.
FAR_S: Final = 24 * 3600.0
_REUSE: Final = {0: "never", 1: "always", 2: "on loopback"}


def answer(look: Look) -> str:
    """The one sentence: whether a wall is near, and toward whom."""
    if not look.busiest:
        return "No tuple is in use: no outgoing TCP connection holds an ephemeral port here."
    soonest = min(look.busiest, key=lambda each: each.wall_s)
    if soonest.wall_s <= 0:
        return f"Used up: no port is left toward {_end(soonest)} from {soonest.source}."
    if soonest.wall_s <= FAR_S:
        return (
            f"The wall toward {_end(soonest)} is {_time(soonest.wall_s)} away at "
            f"{format_rate(soonest.opened_per_s)}: {_share(soonest, look)} in use."
        )
    fullest = max(look.busiest, key=lambda each: each.in_use)
    ahead = (
        "No wall ahead at the present rates" if look.since_s else "Rates come with the next look"
    )
    return f"{ahead}; the fullest, toward {_end(fullest)}, has {_share(fullest, look)} in use."


def settings_line(look: Look) -> str:
    """The budget with its arithmetic, and when a tuple is free again."""
    parts = [f"{look.range_text} has {format_count(_size(look))} ports"]
    if look.reserved:
        parts.append(f"{format_count(look.reserved)} reserved")
    if look.listening:
        parts.append(f"{format_count(look.listening)} with a listener")
    reuse = _REUSE.get(look.reuse, str(look.reuse))
    after = f" after {format_ns(look.reuse_delay_s * 1e9)}" if look.reuse else ""
    return (
        f"{', less '.join(parts)}: {format_count(look.budget)} tuples toward each destination; "
        f"TIME_WAIT 60s, reused {reuse}{after}"
    )


def destination_line(each: Destination, look: Look) -> str:
    """One destination on one line."""
    return (
        f"{each.source} to {_end(each)}: {format_count(each.in_use)} of "
        f"{format_count(look.budget)} tuples ({_share(each, look)}; {_states(each)})"
        f"{_pace(each, look)}"
    )


def plain_lines(look: Look) -> list[str]:
    """A look for logs and pipes: the answer, then a line for each destination."""
    lines = [answer(look), *(f"  {destination_line(each, look)}" for each in look.busiest)]
    return lines + ([] if look.complete else [f"  ({_LOWER_BOUNDS})"])


_LOWER_BOUNDS: Final = "the table changed while it was read: counts are lower bounds"


def picture(look: Look, width: int) -> Group:
    """A look for a terminal, with a bar for each destination."""
    lines = [_fitted(answer(look), "bold"), _fitted(settings_line(look), "dim")]
    names = max((len(_end(each)) for each in look.busiest), default=0)
    cells = max(10, min(60, width - names - 4))
    for each in look.busiest:
        bar = occupancy_bar(
            budget=look.budget,
            established=each.established,
            time_wait=each.time_wait,
            other=each.other,
            width=cells,
        )
        first = Text(f"{_end(each):<{names}}  [", no_wrap=True, overflow="ellipsis")
        lines.append(first.append_text(bar).append("]"))
        told = f"{format_count(each.in_use)} of {format_count(look.budget)} ({_states(each)})"
        lines.append(_fitted(f"{'':<{names}}   {told}{_pace(each, look)}, from {each.source}"))
    hidden = look.destinations - len(look.busiest)
    rest = f"{format_count(hidden)} more destinations; " if hidden > 0 else ""
    cost = f"this look took {format_ns(look.cost_s * 1e9)}"
    lines.append(_fitted(f"{rest}{format_count(look.sockets)} sockets, {cost}", "dim"))
    if not look.complete:
        lines.append(_fitted(_LOWER_BOUNDS, "yellow"))
    return Group(*lines)


def _fitted(text: str, style: str = "") -> Text:
    return Text(text, style, no_wrap=True, overflow="ellipsis")


def _size(look: Look) -> int:
    first, last = map(int, look.range_text.split("-"))
    return last - first + 1


def _end(each: Destination) -> str:
    address = f"[{each.destination}]" if ":" in each.destination else each.destination
    return f"{address}:{each.port}"


def _share(each: Destination, look: Look) -> str:
    return f"{100 * each.in_use / look.budget:.3g} %" if look.budget else "100 %"


def _states(each: Destination) -> str:
    other = f", {format_count(each.other)} other" if each.other else ""
    return (
        f"{format_count(each.established)} established, "
        f"{format_count(each.time_wait)} TIME_WAIT{other}"
    )


def _pace(each: Destination, look: Look) -> str:
    if not look.since_s:
        return ""
    if each.wall_s <= 0:
        wall = "used up"
    elif each.wall_s <= FAR_S:
        wall = f"wall in {_time(each.wall_s)}"
    else:
        wall = "no wall at this rate"
    return f", {format_rate(each.opened_per_s)} new, {wall}"


def _time(seconds: float) -> str:
    if seconds < 10:
        return f"{seconds:.1f}s"
    if seconds < 120:
        return f"{seconds:.0f}s"
    return f"{seconds / 60:.0f}min" if seconds < 7200 else f"{seconds / 3600:.1f}h"
