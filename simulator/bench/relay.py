"""`portchurn bench relay`: what relaying costs, our relay beside its peers, on five workloads.

Rounds are interleaved: each round measures every subject once, each in a fresh process and a fresh
namespace, and the order moves on by one from round to round, so that a machine which slows down or
speeds up meets all subjects alike. A ratio is formed within a round and never across rounds; what
is reported is the middle one of them, with the lowest and the highest.

What it does not show: many cores, real networks, TLS. CPU for one connection falls as load rises,
for every subject, because one wake-up then serves more events; all are driven by the same closed
loop as hard as it goes. Much of what is counted is the kernel's work for one connection, which is
the same for whoever asks for it.
"""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import asdict
from importlib import metadata
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Final

from simulator import __version__
from simulator.bench import haproxy, nginx, rows
from simulator.bench.rows import Row, order_of
from simulator.bench.workloads import WORKLOADS, Workload
from simulator.bench.yard import RoundPlan, RoundResult
from simulator.errors import RunFailed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

OWN: Final = "own"
HAPROXY: Final = "haproxy"
NGINX: Final = "nginx"
UVLOOP: Final = "uvloop-protocol"
COMPILED: Final = "own-compiled"
SUBJECTS: Final = (OWN, COMPILED, HAPROXY, NGINX, UVLOOP)
#: Whom the others are compared with.
BASES: Final = (HAPROXY, NGINX)
#: Time a round may take beyond its window before it counts as stuck.
_PATIENCE_S: Final = 60.0
#: name of the metric -> its unit (of one unit of work, if it ends in a stroke), how it is read.
_METRICS: Final[dict[str, tuple[str, Callable[[RoundResult], float]]]] = {
    "cpu": ("us/", lambda one: one.cpu_us),
    "cpu-user": ("us/", lambda one: one.user_us),
    "cpu-system": ("us/", lambda one: one.system_us),
    "rate": ("1/s", lambda one: one.done / one.seconds),
    "errors": ("connections", lambda one: float(one.errors)),
}
_MEMORY: Final = {"memory": ("bytes/", lambda one: one.memory_bytes), "errors": _METRICS["errors"]}


def versions() -> dict[str, str | None]:
    """The version of each subject, None for one that is not installed."""
    found, other = haproxy.find(), nginx.find()
    return {
        OWN: __version__,
        COMPILED: __version__ if find_spec("numba") else None,
        HAPROXY: haproxy.version(found) if found else None,
        NGINX: nginx.version(other) if other else None,
        UVLOOP: metadata.version("uvloop"),
    }


def run_rounds(
    workload: Workload,
    subjects: Sequence[str],
    *,
    rounds: int,
    seconds: float,
    at_once: int | None = None,
    tell: Callable[[str], None],
) -> dict[str, list[RoundResult]]:
    """Measure all subjects, interleaved; one result for each round and subject.

    Args:
        workload: what they do.
        subjects: some of SUBJECTS.
        rounds: how often.
        seconds: length of each measurement.
        at_once: connections open at any time; None takes the workload's own number.
        tell: given a line after each measurement.

    Raises:
        RunFailed: a round broke; the message holds what it said.
    """
    results: dict[str, list[RoundResult]] = {subject: [] for subject in subjects}
    for number in range(rounds):
        for subject in order_of(number, subjects):
            plan = RoundPlan(
                subject=subject,
                seconds=seconds,
                at_once=at_once or workload.at_once,
                workload=workload.name,
            )
            result = _one_round(plan)
            results[subject].append(result)
            tell(f"{workload.name} {number + 1}/{rounds}  {subject:16} {_said(workload, result)}")
    return results


def _said(workload: Workload, result: RoundResult) -> str:
    if workload.counts_memory:
        return f"{result.memory_bytes:7,.0f} bytes/{workload.unit}"
    return f"{result.cpu_us:7.1f} us/{workload.unit} at {result.done / result.seconds:,.0f}/s"


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
    if not result.done:
        raise RunFailed(f"{plan.subject} got nothing done:\n{done.stderr[-2000:]}")
    return result


def summarise(
    workload: Workload,
    results: Mapping[str, Sequence[RoundResult]],
    version_of: Mapping[str, str | None],
) -> list[Row]:
    """Rows for each base, subject and metric; one that is not installed has none of the values."""
    metrics = _MEMORY if workload.counts_memory else _METRICS
    values = {
        subject: [{metric: read(one) for metric, (_, read) in metrics.items()} for one in rounds]
        for subject, rounds in results.items()
    }
    units = {
        metric: unit + workload.unit if unit.endswith("/") else unit
        for metric, (unit, _) in metrics.items()
    }
    return [
        row
        for base in BASES
        for row in rows.summarise(f"relay-{workload.name}", values, version_of, units, base)
    ]


def table(found: Sequence[Row]) -> str:
    """The rows for the screen: one block a workload, one line a subject."""
    return "\n\n".join(
        "\n".join(_block([row for row in found if row.bench == bench]))
        for bench in dict.fromkeys(row.bench for row in found)
    )


def _block(found: Sequence[Row]) -> Iterator[str]:
    by_key = {(row.subject, row.metric, row.against): row for row in found}
    workload = WORKLOADS[found[0].bench.removeprefix("relay-")]
    main = "memory" if workload.counts_memory else "cpu"
    unit = by_key[found[0].subject, main, HAPROXY].unit
    bases = "".join(f"   {'against ' + base:22}" for base in BASES)
    more = "" if workload.counts_memory else f"{'user':>8}{'kernel':>8}{'rate/s':>9}"
    yield f"{workload.name + ', ' + unit:26}{'median':>9}{'min':>9}{'max':>9}{more}{bases}errors"
    for subject in dict.fromkeys(row.subject for row in found):
        row = by_key[subject, main, HAPROXY]
        if row.median is None:
            yield f"{subject}: not installed"
            continue
        numbers = f"{row.median:9.1f}{row.low:9.1f}{row.high:9.1f}"
        if not workload.counts_memory:
            user, system, rate = (
                by_key[subject, metric, HAPROXY].median or 0.0
                for metric in ("cpu-user", "cpu-system", "rate")
            )
            numbers += f"{user:8.1f}{system:8.1f}{rate:9,.0f}"
        ratios = "".join(f"   {_ratio(by_key[subject, main, base]):22}" for base in BASES)
        errors = by_key[subject, "errors", HAPROXY].high
        yield f"{subject + ' ' + str(row.version):26}{numbers}{ratios}{errors:6.0f}"


def _ratio(row: Row) -> str:
    if row.ratio is None:
        return "-"
    return f"{row.ratio:.2f} ({row.ratio_low:.2f}-{row.ratio_high:.2f})"
