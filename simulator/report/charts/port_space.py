"""The port space: ports against time, coloured by the state that most of them are in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from simulator.measure.port_space import port_space
from simulator.ports.space import STATES
from simulator.report.charts.chart import Axis, Band, Chart, Grid, Shade
from simulator.report.charts.colours import ESTABLISHED, OTHER, TIME_WAIT, tints
from simulator.units import format_count

if TYPE_CHECKING:
    from collections.abc import Iterator

    from simulator.measure.port_space import PortSpace
    from simulator.ports.range import PortRange
    from simulator.report.charts.story import Story

_TINTS: Final = 4
_SHADES: Final = (
    Shade(name="established", colours=tints(ESTABLISHED, _TINTS)),
    Shade(name="TIME_WAIT", colours=tints(TIME_WAIT, _TINTS)),
    Shade(name="other states", colours=tints(OTHER, _TINTS)),
)
_UNKNOWN: Final = 255
#: RFC 6335, section 6.
_REGIONS: Final = (("System", 0, 1023), ("User", 1024, 49151), ("Dynamic", 49152, 65535))


def port_spaces(story: Story) -> Iterator[Chart]:
    """A heat map for each hop whose samples hold its ports; the verdict's hop first."""
    named = story.summary.get("verdict", {}).get("hop")
    for facts in sorted(story.summary.get("hops", ()), key=lambda one: one["name"] != named):
        found = port_space(story.run, str(facts["name"]), story.end_s)
        if found is not None:
            yield _chart(story, str(facts["name"]), found)


def _chart(story: Story, hop: str, found: PortSpace) -> Chart:
    ports = found.ports
    return Chart(
        name=f"ports-{hop}",
        title=f"The port space, {hop}: ports {ports}",
        says=_says(found),
        x=story.time,
        y=Axis(title="port", unit="port", low=float(ports.first), high=float(ports.last + 1)),
        grid=_grid(found),
        bands=tuple(_regions(ports)),
        marks=story.marks,
        height=380,
    )


def _regions(ports: PortRange) -> Iterator[Band]:
    for name, first, last in _REGIONS:
        low, high = max(first, ports.first), min(last, ports.last)
        if low <= high:
            yield Band(low=float(low), high=float(high + 1), text=f"{name} {first}-{last}")


def _grid(found: PortSpace) -> Grid:
    """Each cell has the state that most of its ports are in, paler where few are in any."""
    counts = np.stack([found.counts[state] for state in STATES])
    known = counts[0] >= 0
    total = np.where(known, counts.sum(axis=0), 0)
    full = np.minimum(1.0, total / np.maximum(found.sizes, 1)[:, None])
    tint = np.clip(np.ceil(full * _TINTS) - 1, 0, _TINTS - 1).astype(np.int64)
    cells = np.where(total > 0, 1 + counts.argmax(axis=0) * _TINTS + tint, 0)
    cells = np.where(known, cells, _UNKNOWN)
    return Grid(
        start=found.start_s,
        end=found.end_s,
        low=float(found.ports.first),
        high=float(found.ports.last + 1),
        cells=cells.astype(np.uint8),
        full=np.ceil(full * 100).astype(np.uint8),
        shades=_SHADES,
    )


def _says(found: PortSpace) -> str:
    size = len(found.ports)
    totals: np.ndarray[Any, Any] = sum(
        (np.maximum(found.counts[state], 0).sum(axis=0) for state in STATES),
        start=np.zeros(1, dtype=np.int64),
    )
    at = int(totals.argmax())
    most = int(totals[at])
    when = found.start_s + (found.end_s - found.start_s) * (at + 0.5) / len(totals)
    if not most:
        return f"No sample met a port in use; {format_count(size)} were free throughout."
    parts = sorted(
        ((int(max(0, found.counts[state][:, at].sum())), name) for state, name in _NAMES),
        reverse=True,
    )
    told = ", ".join(f"{format_count(count)} {name}" for count, name in parts if count)
    return (
        f"At its fullest, {when:.1f} s into the run, {format_count(most)} of {format_count(size)} "
        f"ports were in use ({told}). The fuller the colour of a cell, the more are."
    )


_NAMES: Final = tuple(zip(STATES, ("established", "in TIME_WAIT", "in other states"), strict=True))
