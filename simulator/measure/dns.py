"""What a resolver's run tells: its pool, what somebody on the path saw, and what a forger got.

The observer's word is the servers' own record of each question's source port and ID; nothing of it
comes from the resolver. What was expected of the forger is the formula of RFC 5452, section 7.2,
with the F that was measured: forged answers that came while a question waited for its true one.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from simulator.measure.intervals import wilson
from simulator.measure.roles import last_counters
from simulator.preflight.dns import distinct_ports, forgery_odds
from simulator.scenario.resolver import has_resolver, pool_range, usable_pool_ports

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from simulator.engine import Run
    from simulator.measure.intervals import Interval

Ints = np.ndarray[Any, Any]
_COUNTS: Final = (
    *("asked", "answered", "retries", "timeouts", "cached", "malformed"),
    *("refused_id", "refused_address", "refused_question", "refused_malformed"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Forgery:
    """A forger's success beside the formula.

    Attributes:
        packets: forged answers sent.
        received: of them, those that reached the resolver.
        questions: questions that were asked of servers.
        believed: of these, those that a forged answer ended.
        share: that share, None without questions.
        interval: its 95 % interval, None likewise.
        servers, ports, idents: N, P and I of the formula.
        within: F, the mean over questions of forged answers while one waited.
        odds: F / (N P I).
        expected: questions times that.
    """

    packets: int
    received: int
    questions: int
    believed: int
    share: float | None
    interval: list[float] | None
    servers: int
    ports: int
    idents: int
    within: float
    odds: float
    expected: float


def pool_ports(run: Run) -> Ints | None:
    """The ports of a run's socket pool, ascending; None where there is no pool."""
    if not has_resolver(run.scenario):
        return None
    ports = [event["ports"] for event in run.events if event.get("event") == "dns-pool"]
    return np.array(sorted(ports[0]) if ports else [], dtype=np.int64)


def _counters(run: Run) -> Mapping[str, int]:
    found: dict[str, int] = {}
    for tick in last_counters(run, "balancer"):
        for name, value in tick.get("dns", {}).items():
            found[name] = found.get(name, 0) + int(value)
    return found


def forgery(run: Run) -> Forgery | None:
    """What the forger came to; None where there is none."""
    told = _counters(run)
    windows = told.get("windows", 0)
    within = told.get("forged_within", 0) / windows if windows else 0.0
    odds = forgery_odds(run.scenario, within)
    if odds is None:
        return None
    questions, believed = told.get("asked", 0), told.get("forged_believed", 0)
    interval: Interval | None = wilson(believed, questions) if questions else None
    return Forgery(
        packets=sum(int(tick.get("packets", 0)) for tick in last_counters(run, "forger")),
        received=told.get("forged", 0),
        questions=questions,
        believed=believed,
        share=believed / questions if questions else None,
        interval=None if interval is None else [interval.low, interval.high],
        servers=odds.servers,
        ports=odds.ports,
        idents=odds.idents,
        within=within,
        odds=odds.once,
        expected=questions * odds.once,
    )


def dns_table(run: Run, robbed: Sequence[str]) -> dict[str, Any] | None:
    """``dns`` of a summary; None where there is no resolver.

    Args:
        run: the run.
        robbed: ``address:port`` of each service that found its port in the pool.
    """
    resolver = run.scenario.balancer.resolver
    if resolver is None:
        return None
    told, questions = _counters(run), run.questions
    seen = len(questions["t_ns"])
    pairs = questions["peer_port"] << 16 | questions["ident"]
    found = forgery(run)
    events = [event for event in run.events if event.get("event") == "dns-pool"]
    pool = events[0] if events else {}
    drawn = distinct_ports(seen, resolver.pool.size) if resolver.pool.choice == "random" else None
    return {
        **{name: told.get(name, 0) for name in _COUNTS},
        "pool": {
            "size": resolver.pool.size,
            "range": str(pool_range(run.scenario)),
            "usable": usable_pool_ports(run.scenario),
            "lost_races": int(pool.get("lost_races", 0)),
            "seen_by_kernel": int(pool.get("seen_by_kernel", 0)),
        },
        "observed": {
            "questions": seen,
            "ports": len(np.unique(questions["peer_port"])),
            "ports_expected": drawn,
            "pairs": len(np.unique(pairs)),
        },
        "forgery": None if found is None else asdict(found),
        "stolen": len(robbed),
        "robbed": list(robbed),
    }


def dns_metric(table: Mapping[str, Any] | None, metric: str) -> float | None:
    """The number behind a threshold's ``dns.*``; None where this run did not measure it."""
    if table is None:
        return None
    forged = table["forgery"] or {}
    values: dict[str, float | None] = {
        "dns.observed_ports": table["observed"]["ports"],
        "dns.observed_pairs": table["observed"]["pairs"],
        "dns.forged": forged.get("believed"),
        "dns.forged_expected": forged.get("expected"),
        "dns.stolen": table["stolen"],
    }
    value = values[metric]
    return None if value is None else float(value)
