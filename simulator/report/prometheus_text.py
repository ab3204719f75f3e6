"""A look at a host's tuple budgets as metrics, in Prometheus' text format.

As many label sets as destinations are told, so that a scraper is not flooded.

Source: Prometheus documentation, Exposition formats, text format version 0.0.4.
"""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

    from simulator.ports.watched import Destination, Look

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"


def metrics(look: Look) -> str:
    """The page a scraper reads.

    All are gauges: a rate is worked out here, since the kernel has no counter for a destination.
    """
    busy = look.busiest
    lines = [
        *_metric(
            "portchurn_tuple_budget",
            "Tuples of one source address toward one destination.",
            [("", look.budget)],
        ),
        *_metric(
            "portchurn_tuples",
            "Tuples by state; those in state recyclable are free for the next connection.",
            [
                (_labels(each, state), count)
                for each in busy
                for state, count in (
                    ("established", each.established),
                    ("time_wait", each.time_wait),
                    ("other", each.other),
                    ("recyclable", each.recyclable),
                )
            ],
        ),
        *_metric(
            "portchurn_tuples_opened_per_second",
            "Tuples taken per second, mean of the last looks.",
            [(_labels(each), each.opened_per_s) for each in busy],
        ),
        *_metric(
            "portchurn_seconds_to_wall",
            "Seconds until the budget is used up at the present rate; +Inf: it will not be.",
            [(_labels(each), each.wall_s) for each in busy],
        ),
        *_metric(
            "portchurn_destinations",
            "Destinations with at least one tuple, told here or not.",
            [("", look.destinations)],
        ),
        *_metric("portchurn_sockets", "TCP sockets of the namespace.", [("", look.sockets)]),
        *_metric(
            "portchurn_look_seconds", "Time the last look took.", [("", round(look.cost_s, 6))]
        ),
        *_metric(
            "portchurn_look_complete",
            "1, or 0 when the table changed under the look and counts are lower bounds.",
            [("", int(look.complete))],
        ),
    ]
    return "\n".join(lines) + "\n"


def _metric(name: str, meaning: str, values: Iterable[tuple[str, float]]) -> list[str]:
    return [
        f"# HELP {name} {meaning}",
        f"# TYPE {name} gauge",
        *(f"{name}{labels} {_number(value)}" for labels, value in values),
    ]


def _labels(each: Destination, state: str = "") -> str:
    # Addresses and numbers hold nothing that would need escaping.
    labels = f'source="{each.source}",destination="{each.destination}",port="{each.port}"'
    return f'{{{labels},state="{state}"}}' if state else f"{{{labels}}}"


def _number(value: float) -> str:
    return "+Inf" if value == inf else f"{value:.10g}"
