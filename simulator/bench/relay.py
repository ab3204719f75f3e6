"""`portchurn bench relay`: CPU of one relayed connection, our relay beside its peers.

Rounds are interleaved: each round measures every subject once, each in a fresh process and a fresh
namespace, and the order moves on by one from round to round, so that a machine which slows down or
speeds up meets all subjects alike. A ratio is formed within a round and never across rounds; what
is reported is the middle one of them, with the lowest and the highest.

What it does not show: many cores, large payloads, real networks. CPU for one connection falls as
load rises, for every subject, because one wake-up then serves more events; all are driven by the
same closed loop as hard as it goes.
"""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import asdict
from importlib import metadata
from typing import TYPE_CHECKING, Any, Final

from simulator import __version__
from simulator.bench import haproxy, rows
from simulator.bench.rows import Row, order_of
from simulator.bench.yard import RoundPlan, RoundResult
from simulator.errors import RunFailed

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

OWN: Final = "own"
HAPROXY: Final = "haproxy"
UVLOOP: Final = "uvloop-protocol"
SUBJECTS: Final = (OWN, HAPROXY, UVLOOP)
#: Time a round may take beyond its window before it counts as stuck.
_PATIENCE_S: Final = 30.0
#: name of the metric -> its unit, the field of RoundResult.
_METRICS: Final[dict[str, tuple[str, str]]] = {
    "cpu": ("us/connection", "cpu_us"),
    "cpu-user": ("us/connection", "user_us"),
    "cpu-system": ("us/connection", "system_us"),
    "errors": ("connections", "errors"),
}


def versions() -> dict[str, str | None]:
    """The version of each subject, None for one that is not installed."""
    binary = haproxy.find()
    return {
        OWN: __version__,
        HAPROXY: haproxy.version(binary) if binary else None,
        UVLOOP: metadata.version("uvloop"),
    }


def run_rounds(
    subjects: Sequence[str],
    *,
    rounds: int,
    seconds: float,
    at_once: int,
    tell: Callable[[str], None],
) -> dict[str, list[RoundResult]]:
    """Measure all subjects, interleaved; one result for each round and subject.

    Raises:
        RunFailed: a round broke; the message holds what it said.
    """
    results: dict[str, list[RoundResult]] = {subject: [] for subject in subjects}
    for number in range(rounds):
        for subject in order_of(number, subjects):
            result = _one_round(RoundPlan(subject=subject, seconds=seconds, at_once=at_once))
            results[subject].append(result)
            tell(
                f"round {number + 1}/{rounds}  {subject:16} {result.cpu_us:7.1f} us/connection "
                f"at {result.connections / result.seconds:,.0f}/s"
            )
    return results


def _one_round(plan: RoundPlan) -> RoundResult:
    command = [sys.executable, "-m", "simulator.bench.yard", json.dumps(asdict(plan))]
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            timeout=plan.warmup_s + plan.seconds + _PATIENCE_S,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise RunFailed(f"the round of {plan.subject} did not end") from error
    if done.returncode != 0:
        raise RunFailed(f"the round of {plan.subject} broke:\n{done.stderr[-2000:]}")
    given: dict[str, Any] = json.loads(done.stdout)
    result = RoundResult(**given)
    if not result.connections:
        raise RunFailed(f"{plan.subject} completed no connection:\n{done.stderr[-2000:]}")
    return result


def summarise(
    results: Mapping[str, Sequence[RoundResult]], version_of: Mapping[str, str | None]
) -> list[Row]:
    """Rows for each subject and metric; one that is not installed has rows without values."""
    values = {
        subject: [
            {metric: getattr(one, field) for metric, (_, field) in _METRICS.items()}
            for one in rounds
        ]
        for subject, rounds in results.items()
    }
    units = {metric: unit for metric, (unit, _) in _METRICS.items()}
    return rows.summarise("relay", values, version_of, units, HAPROXY)


def table(found: Sequence[Row]) -> str:
    """The rows for the screen: one line a subject."""
    by_key = {(row.subject, row.metric): row for row in found}
    heading = (
        f"{'CPU for one connection':26}{'median':>9}{'min':>8}{'max':>8}"
        f"{'user':>8}{'kernel':>8}   {'against haproxy (min-max)':26}{'errors':>7}"
    )
    lines = [heading]
    for subject in dict.fromkeys(row.subject for row in found):
        cpu = by_key[subject, "cpu"]
        name = f"{subject} {cpu.version}" if cpu.version else f"{subject}: not installed"
        if cpu.median is None or cpu.low is None or cpu.high is None:
            lines.append(name)
            continue
        user, system = by_key[subject, "cpu-user"].median, by_key[subject, "cpu-system"].median
        ratio = "-"
        if cpu.ratio is not None:
            ratio = f"{cpu.ratio:.2f} ({cpu.ratio_low:.2f}-{cpu.ratio_high:.2f})"
        errors = by_key[subject, "errors"].high
        lines.append(
            f"{name:26}{cpu.median:7.1f}us{cpu.low:8.1f}{cpu.high:8.1f}"
            f"{user:8.1f}{system:8.1f}   {ratio:26}{errors:7.0f}"
        )
    return "\n".join(lines)
