"""What all charts of one run are made from: its records, its summary and its series, read once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from simulator.measure.phases import spans, stopped_at_ns
from simulator.measure.series import time_series
from simulator.report.charts.chart import Axis, Mark
from simulator.report.charts.colours import BLUE, GREY, PINK, SKY, WALL
from simulator.units import NS_PER_S

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from simulator.engine import Run
    from simulator.measure.series import Series

#: More marks than this are told apart by nobody.
_MOST_MARKS: Final = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """One stored run, ready to be drawn.

    Attributes:
        run: its records.
        summary: its summary, worked out from the records where none is stored.
        series: the run over time.
        marks: what happened when, for every axis of time.
        end_s: length of that axis.
        modelled: the same question in the model, to be drawn beside; None without one.
    """

    run: Run
    summary: Mapping[str, Any]
    series: Series
    marks: tuple[Mark, ...]
    end_s: float
    modelled: Story | None = None

    @property
    def time(self) -> Axis:
        """The axis of time that all charts of the run share."""
        return Axis(title="since the start of the run", unit="s", low=0.0, high=self.end_s)


def tell(run: Run, summary: Mapping[str, Any], modelled: Story | None = None) -> Story:
    """Work out what the charts of a run need.

    Args:
        run: complete or cut short.
        summary: as stored, or from `measure.summary`.
        modelled: the model's run of the same plan.
    """
    series = time_series(run)
    return Story(
        run=run,
        summary=summary,
        series=series,
        marks=tuple(marks(run, summary)),
        end_s=len(series.t_s) * series.bin_s,
        modelled=modelled,
    )


def marks(run: Run, summary: Mapping[str, Any]) -> list[Mark]:
    """Phases, the moments when ports ran out, churn and faults, in time order."""
    found = [*_phases(run), *_walls(summary), *_events(run)]
    if len(found) > _MOST_MARKS:
        strong = [mark for mark in found if mark.is_strong]
        found = (strong + [mark for mark in found if not mark.is_strong])[:_MOST_MARKS]
    return sorted(found, key=lambda mark: mark.at)


def _phases(run: Run) -> Iterator[Mark]:
    for span in spans(run):
        if span.seconds and (span.start_ns or span.warmup):
            text = f"phase {span.name}" + (" (warm-up)" if span.warmup else "")
            yield Mark(at=span.start_ns / NS_PER_S, text=text, colour=GREY)
    stop = stopped_at_ns(run)
    if stop is not None:
        yield Mark(at=stop / NS_PER_S, text="stopped early", colour=WALL)


def _walls(summary: Mapping[str, Any]) -> Iterator[Mark]:
    for hop in summary.get("hops", ()):
        at = hop.get("exhausted_at_s")
        if at is not None:
            yield Mark(at=float(at), text=f"no port left, {hop.get('name')}", colour=WALL)


def _events(run: Run) -> Iterator[Mark]:
    """Single backends come and go too often for words of their own on the drawing."""
    for event in run.events:
        name, at = event.get("event"), float(event.get("t_ns", 0)) / NS_PER_S
        backend = event.get("backend")
        if name == "backend-left":
            text = f"backend {backend} left ({event.get('how')})"
            yield Mark(at=at, text=text, colour=PINK, is_strong=False)
        elif name == "backend-back":
            text = f"backend {backend} came back on port {event.get('port')}"
            yield Mark(at=at, text=text, colour=SKY, is_strong=False)
        elif name in ("backend-down", "backend-up"):
            text = f"backend {backend} went {str(name).rpartition('-')[2]}"
            yield Mark(at=at, text=text, colour=BLUE, is_strong=False)
        elif name == "backend-waits":
            text = f"backend {backend} found no port"
            yield Mark(at=at, text=text, colour=WALL, is_strong=False)
        elif name == "role-lost":
            yield Mark(at=at, text=f"{event.get('role')} lost", colour=WALL)
        elif name == "pause":
            yield Mark(at=at, text="paused", colour=WALL, is_strong=False)
