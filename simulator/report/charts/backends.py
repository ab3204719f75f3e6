"""Backends: how often each was picked, and which port each held from when to when."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

from simulator.measure.moves import history
from simulator.report.charts.chart import Axis, Chart, Line, Span
from simulator.report.charts.colours import BLUE, style
from simulator.units import NS_PER_S, format_count

if TYPE_CHECKING:
    from simulator.ports.lease import Lease
    from simulator.report.charts.story import Story

_MOST_LANES: Final = 64
_MOST_BARS: Final = 64
_LANE_PX: Final = 13


def picks(story: Story) -> Chart | None:
    """Connections given to each backend; by rank where there are many; None for one backend."""
    found = story.summary.get("backends", {}).get("picks") or {}
    if len(found) < 2:
        return None
    counts = {int(backend): float(number) for backend, number in found.items()}
    many = len(counts) > _MOST_BARS
    if many:
        y = sorted(counts.values(), reverse=True)
        line = Line(
            name="picks",
            x=tuple(float(at) for at in range(len(y))),
            y=tuple(y),
            colour=BLUE,
            form="step",
        )
    else:
        order = sorted(counts)
        line = Line(
            name="picks",
            x=tuple(map(float, order)),
            y=tuple(counts[one] for one in order),
            colour=BLUE,
            form="bars",
        )
    least, most = min(counts.values()), max(counts.values())
    edge = 0.0 if many else 0.6
    return Chart(
        name="picks",
        title="How often each backend was picked",
        says=f"Between {format_count(least)} and {format_count(most)} times, "
        f"over {len(counts)} backends.",
        x=Axis(
            title="backends, the most picked first" if many else "backend",
            low=min(line.x) - edge,
            high=max(line.x) + edge,
        ),
        y=Axis(title="picks", low=0.0),
        lines=(line,),
        height=240,
    )


def leases(story: Story) -> Chart | None:
    """A timeline of the ports that backends held; None without one.

    Where there are more backends than lanes, those that moved most are shown.
    """
    held = history(story.run)
    if not held:
        return None
    times = Counter(one.backend for one in held)
    backends = sorted(sorted(times), key=lambda one: -times[one])[:_MOST_LANES]
    lane = {backend: place for place, backend in enumerate(sorted(backends))}
    shown = [one for one in held if one.backend in lane]
    turn: Counter[int] = Counter()
    spans = []
    for one in sorted(shown, key=lambda lease: lease.from_ns):
        spans.append(_span(one, lane[one.backend], turn[one.backend], story.end_s))
        turn[one.backend] += 1
    rest = len(times) - len(lane)
    ports = len({(one.address, one.port) for one in held})
    return Chart(
        name="leases",
        title="Ports held by backends",
        says=f"{len(times)} backends held {format_count(ports)} ports in "
        f"{format_count(len(held))} leases; each bar is a lease, a gap a backend that was away."
        + (f" {rest} backends that moved less are not shown." if rest else ""),
        x=story.time,
        y=Axis(title="backend", unit="none", lanes=tuple(str(one) for one in sorted(lane))),
        spans=tuple(spans),
        marks=tuple(mark for mark in story.marks if mark.is_strong),
        height=110 + _LANE_PX * max(3, len(lane)),
    )


def _span(lease: Lease, lane: int, turn: int, end_s: float) -> Span:
    end = end_s if lease.to_ns is None else lease.to_ns / NS_PER_S
    start = max(0.0, lease.from_ns / NS_PER_S)
    until = "the end" if lease.to_ns is None else f"{end:.2f} s"
    return Span(
        lane=lane,
        start=start,
        end=max(start, min(end, end_s)),
        text=f"backend {lease.backend} on {lease.address}:{lease.port}, {start:.2f} s to {until}",
        colour=style(turn)[0],
    )
