"""Stored runs against each other: what differs, and by what ratio, with how sure that is.

The first side is the base; each later one is held against it. A side is one run, or the runs of a
series. Between two single runs blocks of time are drawn again, which says how far the two runs
differ, and not how far the next two would; between series of five runs or more, whole runs are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from simulator.measure.comparable import Obstacle, of_pair, same_plan
from simulator.measure.compared_metrics import compared, numbers, value_of, words
from simulator.measure.differences import differences
from simulator.measure.intervals import CONFIDENCE, RESAMPLES, Interval, wilson
from simulator.measure.redraw import (
    BLOCK_RESAMPLES,
    Draws,
    draws,
    ratio_of_quantiles,
    ratio_of_runs,
    ratio_of_tallies,
)
from simulator.measure.repeats import NO_DIFFERENCE
from simulator.seeds import generator

if TYPE_CHECKING:
    from simulator.measure.blocks import Blocks

SCHEMA: Final = "portchurn.comparison/1"
#: Times are kept to three digits: what lies within this of 1 is no difference that was measured.
NEGLIGIBLE: Final = 0.001
#: Where an interval is from.
WITHIN, ACROSS, SHARES = "blocks", "runs", "shares"
_SHARES: Final = {"p50": 0.5, "p90": 0.9, "p99": 0.99, "p999": 0.999}

Summary = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One run of a side.

    Attributes:
        path: its folder, for people.
        summary: a `portchurn.summary/1` object.
        left_out: why it is part of no number; empty when it is.
    """

    path: str
    summary: Summary
    left_out: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """What stands in one column.

    Attributes:
        name: its letter, "A" for the base.
        title: as it was asked for.
        members: its runs, oldest first; one that is not left out at least.
        blocks: of its only run, None for a series.
        obstacles: what about its runs stands in the way.
    """

    name: str
    title: str
    members: tuple[Member, ...]
    blocks: Blocks | None = None
    obstacles: tuple[Obstacle, ...] = field(default=())

    @property
    def usable(self) -> list[Summary]:
        """Summaries of the runs that count."""
        return [one.summary for one in self.members if not one.left_out]


def obstacles(sides: Sequence[Side]) -> list[Obstacle]:
    """Everything that stands in the way of comparing these sides, in their order."""
    found = [one for side in sides for one in side.obstacles]
    base = sides[0]
    for side in sides[1:]:
        found += of_pair(base.usable[0], base.name, side.usable[0], side.name)
    return found


def compare(sides: Sequence[Side], *, seed: int) -> dict[str, Any]:
    """The table of a comparison, as plain JSON values.

    Args:
        sides: two or more, the base first.
        seed: resamples are drawn from streams of their own under it, so that the same runs always
            give the same intervals.

    Returns:
        ``sides``; ``differences`` besides the numbers; ``obstacles``; ``series``: a list of
        {``metric``, ``values`` (one a side: the median over its runs; times in ns), ``ratios``:
        one for each later side {``side``, ``ratio``, ``interval``, ``from``, ``says``}}. ``ratio``
        is None where the base is 0 or either is not known; ``interval`` where there is none, and
        then ``says`` is None too, but where shares of failures tell.
    """
    firsts = [side.usable[0] for side in sides]
    drawn = {side.name: _drawn(sides[0], side, seed) for side in sides[1:]}
    return {
        "schema": SCHEMA,
        "seed": seed,
        "confidence": CONFIDENCE,
        "resamples": {WITHIN: BLOCK_RESAMPLES, ACROSS: RESAMPLES},
        "sides": [_told(side) for side in sides],
        "differences": [one.as_dict() for one in differences(firsts)],
        "obstacles": [one.as_dict() for one in obstacles(sides)],
        "series": [
            {
                "metric": metric,
                "values": [_median(values) for values in found],
                "ratios": [
                    _ratio(metric, sides[0], side, (found[index], found[0]), drawn[side.name], seed)
                    for index, side in enumerate(sides)
                    if index
                ],
            }
            for metric, found in compared([side.usable for side in sides])
        ],
    }


def _told(side: Side) -> dict[str, Any]:
    first = side.usable[0]
    return {
        "name": side.name,
        "title": side.title,
        "scenario": first.get("name"),
        "variant": first.get("variant", ""),
        "loop": first.get("loop"),
        "engine": first.get("engine"),
        "runs": [
            {
                "run": one.summary.get("run"),
                "path": one.path,
                "started": one.summary.get("started"),
                "seed": one.summary.get("seed"),
                "verdict": value_of(one.summary, "verdict"),
                "valid": one.summary.get("valid"),
                "left_out": list(one.left_out),
            }
            for one in side.members
        ],
    }


def _drawn(base: Side, side: Side, seed: int) -> Draws | None:
    """The blocks that are drawn of two single runs; None where one is a series."""
    if base.blocks is None or side.blocks is None:
        return None
    paired = same_plan([base.usable[0], side.usable[0]]) and base.blocks.count == side.blocks.count
    return draws(side.blocks, base.blocks, generator(seed, "compare", side.name), paired=paired)


def _median(values: Sequence[float]) -> float | None:
    return float(np.median(values)) if values else None


def _ratio(
    metric: str,
    base: Side,
    side: Side,
    values: tuple[Sequence[float], Sequence[float]],
    drawn: Draws | None,
    seed: int,
) -> dict[str, Any]:
    above, below = (_median(one) for one in values)
    ratio = above / below if above is not None and below else None
    interval, source = None, None
    if drawn is not None:
        interval, source = _from_blocks(metric, side, base, drawn), WITHIN
    elif ratio is not None:
        rng = generator(seed, "compare", "runs", side.name, metric)
        interval, source = ratio_of_runs(values[0], values[1], rng), ACROSS
    if ratio is None or interval is None:
        interval = source = None
    says = _says(metric, interval)
    if ratio is None and metric == "failed":
        says = _by_shares(side.usable, base.usable)
        source = SHARES if says else None
    return {
        "side": side.name,
        "ratio": ratio,
        "interval": None if interval is None else list(interval),
        "from": source,
        "says": says,
    }


def _from_blocks(metric: str, side: Side, base: Side, drawn: Draws) -> Interval | None:
    assert side.blocks is not None
    assert base.blocks is not None
    tallies = [one.tallies.get(metric) for one in (side.blocks, base.blocks)]
    if tallies[0] is not None and tallies[1] is not None:
        return ratio_of_tallies(tallies[0], tallies[1], drawn)
    kind, _, percentile = metric.rpartition(".")
    if percentile not in _SHARES:
        return None
    over, under = side.blocks.spreads.get(kind), base.blocks.spreads.get(kind)
    if over is None or under is None:
        return None
    return ratio_of_quantiles(over, under, _SHARES[percentile], drawn)


def _says(metric: str, interval: Interval | None) -> str | None:
    """The word that an interval allows; None when there is none, since then none is allowed."""
    if interval is None:
        return None
    if interval.low <= 1 + NEGLIGIBLE and interval.high >= 1 - NEGLIGIBLE:
        return NO_DIFFERENCE
    more, less = words(metric)
    return more if interval.low > 1 else less


def _by_shares(over: Sequence[Summary], under: Sequence[Summary]) -> str | None:
    """Whether failures differ where there is no ratio, since one side has none at all."""
    above, below = (
        wilson(int(sum(numbers(side, "failed"))), int(sum(numbers(side, "sent"))))
        for side in (over, under)
    )
    if above.low <= below.high and below.low <= above.high:
        return NO_DIFFERENCE
    more, less = words("failed")
    return more if above.low > below.high else less
