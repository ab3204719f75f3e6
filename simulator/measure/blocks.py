"""A run cut into blocks of time, so that whole blocks can be drawn again.

Connections of one moment resemble each other, so that drawing single ones would promise too narrow
an interval. A block holds what belongs to one stretch of time; two runs of one plan have blocks
that ask for the same, and drawing the same blocks of both lets a ramp cancel out of a ratio.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from simulator.buckets import MAX_NS, bucket_bounds, bucket_of
from simulator.measure.latency import timed_rows
from simulator.measure.modelled import is_modelled
from simulator.measure.phases import measured, spans
from simulator.measure.roles import SERVED, cpu_ns, ticks_by_process
from simulator.measure.turns import due_ns
from simulator.records import Outcome
from simulator.units import NS_PER_S

if TYPE_CHECKING:
    from collections.abc import Mapping

    from simulator.engine import Run
    from simulator.measure.phases import Span

#: Blocks of a short run; one that is longer than so many seconds has a block for each second ...
FEWEST_BLOCKS: Final = 20
#: ... up to so many.
MOST_BLOCKS: Final = 120

Floats = np.ndarray[Any, np.dtype[np.float64]]
Ints = np.ndarray[Any, np.dtype[np.int64]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """An amount in each block, and what it is an amount of.

    Attributes:
        amount: shape (blocks,).
        per: what the sum of amounts is divided by, (blocks,); None for a plain sum.
    """

    amount: Floats
    per: Floats | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """A histogram of times in each block.

    Attributes:
        values_ns: the highest value of each bucket that is filled in some block, ascending, (k,).
        counts: how many times lie in it, shape (blocks, k).
    """

    values_ns: Floats
    counts: Floats


@dataclass(frozen=True, slots=True, kw_only=True)
class Blocks:
    """One run in blocks of equal length.

    Attributes:
        count: how many blocks.
        tallies: metric -> amounts.
        spreads: kind of latency -> histograms.
    """

    count: int
    tallies: Mapping[str, Tally]
    spreads: Mapping[str, Spread]


def block_count(duration_ns: int) -> int:
    """How many blocks a run of so many ns is cut into."""
    return int(np.clip(duration_ns // NS_PER_S, FEWEST_BLOCKS, MOST_BLOCKS))


def cut(run: Run) -> Blocks:
    """The blocks of a run: what was due, sent, failed and spent in each.

    Rates count what lies in measured phases, as summaries do, and failures everything.
    """
    count = block_count(run.scenario.duration_ns)
    edges = np.linspace(0, run.scenario.duration_ns, count + 1)
    return Blocks(
        count=count,
        tallies={**_counts(run, edges), **_cpu(run, edges)},
        spreads=_spreads(run, edges),
    )


def _index(moments_ns: Ints, edges: Floats) -> Ints:
    """The block of each moment; what happens while the run drains belongs to the last."""
    found: Ints = np.clip(np.searchsorted(edges, moments_ns, side="right") - 1, 0, len(edges) - 2)
    return found


def _counts(run: Run, edges: Floats) -> dict[str, Tally]:
    due, sent, outcome = due_ns(run), run.connections["sent_ns"], run.connections["outcome"]
    windows = measured(spans(run))
    # By the seconds that count, since runs of other lengths, or cut short, have other blocks.
    seconds = np.sum([_overlap_s(span, edges) for span in windows], axis=0)

    def within(moments: Ints, which: np.ndarray[Any, Any]) -> Tally:
        inside = np.logical_or.reduce([span.holds(moments) for span in windows])
        return replace(counted(moments[inside & which]), per=seconds)

    def counted(moments: Ints) -> Tally:
        found = np.bincount(_index(moments, edges), minlength=len(edges) - 1)
        return Tally(amount=found.astype(np.float64))

    every = np.ones(len(due), dtype=bool)
    return {
        "rate.asked": within(due, every),
        "rate.sent": within(sent, every),
        "rate.ok": within(sent, outcome == Outcome.OK),
        "failed": counted(due[(outcome == Outcome.FAILED) & (due >= 0)]),
    }


def _overlap_s(span: Span, edges: Floats) -> Floats:
    """Seconds of each block that lie in a phase."""
    inside: Floats = np.diff(np.clip(edges, span.start_ns, max(span.start_ns, span.end_ns)))
    return inside / NS_PER_S


def _spreads(run: Run, edges: Floats) -> dict[str, Spread]:
    block = _index(due_ns(run), edges)
    return {
        kind: _spread(block[rows], np.clip(values, 0, MAX_NS), len(edges) - 1)
        for kind, (rows, values) in timed_rows(run).items()
    }


def _spread(block: Ints, values_ns: Ints, blocks: int) -> Spread:
    filled, place = np.unique(bucket_of(values_ns.astype(np.int64)), return_inverse=True)
    width = len(filled)
    flat = np.bincount(block * width + place, minlength=blocks * width)
    tops = [bucket_bounds(int(bucket))[1] for bucket in filled]
    return Spread(
        values_ns=np.asarray(tops, dtype=np.float64),
        counts=flat.reshape(blocks, width).astype(np.float64),
    )


def _cpu(run: Run, edges: Floats) -> dict[str, Tally]:
    """CPU of each role in microseconds, and the connections that it was spent on."""
    if is_modelled(run):
        return {}
    found = {}
    for role, counter in SERVED.items():
        spent, served = np.zeros(len(edges) - 1), np.zeros(len(edges) - 1)
        for ticks in ticks_by_process(run, role):
            at = [int(tick["t_ns"]) for tick in ticks]
            cpu = [cpu_ns(tick) / 1000 for tick in ticks]
            spent += np.diff(np.interp(edges, at, cpu))
            served += np.diff(np.interp(edges, at, [int(tick.get(counter, 0)) for tick in ticks]))
        if served.any():
            found[f"cpu.{role}_us_per_connection"] = Tally(amount=spent, per=served)
    return found
