"""Limits on a change between two sides: ``connect.p99 > +10%``, ``failed > +5``, ``rate.ok < -2%``.

They are written like thresholds, and say when a comparison has failed. A bound with a sign is a
change against the base, in percent or in the metric's own unit (``> +5ms``); one without a sign
asks the later side alone (``failed > 0``, ``verdict != ok``).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING, Any, Final, Literal

from simulator.measure.compared_metrics import COSTS, numbers, value_of
from simulator.measure.repeats import NO_DIFFERENCE
from simulator.scenario.thresholds import OPERATORS, bound_of, check_metric, parts_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from simulator.measure.comparison import Side

_PERCENT_RE: Final = re.compile(r"([+-])\s*(\d{1,9}(?:\.\d{1,6})?)\s*%")
_SIGNED_RE: Final = re.compile(r"([+-])\s*(\S.*)")
_EXAMPLE: Final = "connect.p99 > +10%"


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeLimit:
    """One condition under which a comparison has failed.

    Attributes:
        text: as it was written.
        metric: a name that thresholds or `COSTS` know.
        comparison: of `OPERATORS`.
        kind: "share" (bound is a share of the base), "amount" (a difference to it in the metric's
            unit) or "value" (of the later side alone).
        bound: with its sign.
    """

    text: str
    metric: str
    comparison: str
    kind: Literal["share", "amount", "value"]
    bound: float | str


def parse_change_limit(text: str) -> ChangeLimit:
    """Read one limit.

    Raises:
        ValueError: unknown metric, comparison or bound; the message says what would be right.
    """
    metric, comparison, bound = parts_of(text, _EXAMPLE)
    check_metric(metric, *COSTS)
    percent = _PERCENT_RE.fullmatch(bound)
    signed = _SIGNED_RE.fullmatch(bound)
    if (percent or signed) and metric == "verdict":
        raise ValueError("asks for a change of a verdict; write 'verdict != ok'")
    if percent is not None:
        share = float(f"{percent[1]}{percent[2]}") / 100
        return _limit(text, metric, comparison, "share", share)
    if bound.endswith("%"):
        raise ValueError(
            f"has the bound {bound}, which is no change; write a sign, such as +{bound}"
        )
    if signed is not None:
        amount = bound_of(metric, comparison, signed[2])
        assert isinstance(amount, float)
        return _limit(text, metric, comparison, "amount", -amount if signed[1] == "-" else amount)
    return _limit(text, metric, comparison, "value", bound_of(metric, comparison, bound))


def _limit(
    text: str,
    metric: str,
    comparison: str,
    kind: Literal["share", "amount", "value"],
    bound: float | str,
) -> ChangeLimit:
    return ChangeLimit(text=text, metric=metric, comparison=comparison, kind=kind, bound=bound)


def breaches(
    limits: Sequence[ChangeLimit], sides: Sequence[Side], table: Mapping[str, Any]
) -> list[dict[str, Any]]:
    """What each limit came to for each later side.

    A change fails a comparison when it is beyond its bound and the interval of its ratio, where
    there is one, does not hold 1: chance alone fails nothing. What was not measured on a side has
    failed, since what was not seen is not passed.

    Args:
        limits: what was asked.
        sides: the base first.
        table: what `comparison.compare` made of them.

    Returns:
        ``text, metric, side, base, value, failed, why`` of each, in the order asked.
    """
    return [
        _held(limit, sides[0], side, _says(table, limit.metric, side.name))
        for limit in limits
        for side in sides[1:]
    ]


def _says(table: Mapping[str, Any], metric: str, side: str) -> Mapping[str, Any]:
    """The row of a ratio; one of a metric that the table does not show has no interval."""
    for series in table["series"]:
        if series["metric"] == metric:
            for ratio in series["ratios"]:
                if ratio["side"] == side:
                    found: Mapping[str, Any] = ratio
                    return found
    return {"interval": None, "says": None}


def _held(limit: ChangeLimit, base: Side, side: Side, ratio: Mapping[str, Any]) -> dict[str, Any]:
    if limit.metric == "verdict":
        return _verdict(limit, side)
    before, after = (_middle(one, limit.metric) for one in (base, side))
    needed = (after,) if limit.kind == "value" else (before, after)
    if any(value is None for value in needed):
        failed, why = True, "not measured"
    else:
        failed, why = _beyond(limit, before, after, ratio)
    told = {**_about(limit, side), "base": before, "value": after}
    return {**told, "failed": failed, "why": why}


def _about(limit: ChangeLimit, side: Side) -> dict[str, Any]:
    return {"text": limit.text, "metric": limit.metric, "side": side.name}


def _beyond(
    limit: ChangeLimit, before: float | None, after: float | None, ratio: Mapping[str, Any]
) -> tuple[bool, str]:
    assert after is not None
    holds = OPERATORS[limit.comparison]
    if limit.kind == "value":
        failed = bool(holds(after, limit.bound))
        return failed, "beyond" if failed else "within"
    assert before is not None
    change = after - before
    if limit.kind == "share":
        change = change / before if before else (float("inf") if change else 0.0)
    if not holds(change, limit.bound):
        return False, "within"
    if ratio["says"] == NO_DIFFERENCE:
        return False, f"beyond, but {NO_DIFFERENCE}"
    return True, "beyond" if ratio["says"] is not None else "beyond; no interval"


def _verdict(limit: ChangeLimit, side: Side) -> dict[str, Any]:
    """Every run of a side is asked; one is enough to fail."""
    codes = [str(value_of(summary, "verdict")) for summary in side.usable]
    hits = [code for code in codes if OPERATORS[limit.comparison](code, limit.bound)]
    told = {**_about(limit, side), "base": None, "value": (hits or codes)[0]}
    return {**told, "failed": bool(hits), "why": "beyond" if hits else "within"}


def _middle(side: Side, metric: str) -> float | None:
    found = numbers(side.usable, metric)
    return median(found) if found else None
