"""Retries that keep an overload alive: what is asked would fit, what comes with retries does not.

A short overload fills the backends' queues; who waits there gives up and tries again, while the
server still works for the one that gave up. From then on the retries alone are more than can be
served, and nothing succeeds although the cause is long gone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from simulator.measure.waiting_findings import Finding
from simulator.records import Call, Ending, Outcome
from simulator.units import NS_PER_S, format_ns, format_rate

if TYPE_CHECKING:
    from simulator.engine import Run
    from simulator.measure.evidence import Evidence
    from simulator.scenario.schema import Scenario

#: Share of the attempts that must have timed out: with fewer, much is still served.
_MOSTLY: Final = 0.5

Mask = np.ndarray[Any, np.dtype[np.bool_]]


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryStorm:
    """What came in the last phase, when nothing but retries was too much.

    Attributes:
        phase: its name.
        asked_per_s: connections wanted, each counted once.
        sent_per_s: attempts that were made for them.
        served_per_s: what the backends can serve, by their concurrency and service time.
        timed_out: share of the attempts that got no answer in time.
    """

    phase: str
    asked_per_s: float
    sent_per_s: float
    served_per_s: float
    timed_out: float


def capacity_per_s(scenario: Scenario) -> float | None:
    """Requests a second that all backends can serve together; None where nothing bounds them."""
    backends = scenario.backends
    service_ns = backends.service_time.mean_ns
    if backends.concurrency is None or not service_ns:
        return None
    return backends.count * backends.concurrency * NS_PER_S / service_ns


def retry_storm(run: Run) -> RetryStorm | None:
    """The storm of a run's last phase; None where there is none, or no bound to tell it by."""
    capacity = capacity_per_s(run.scenario)
    if capacity is None or run.scenario.clients.retry is None or "attempt" not in run.plan:
        return None
    last = run.scenario.traffic[-1]
    begin_ns = run.scenario.duration_ns - last.for_ns
    rows = run.connections
    sent: Mask = (rows["sent_ns"] >= begin_ns) & (rows["sent_ns"] < run.scenario.duration_ns)
    late = rows["outcome"] == Outcome.FAILED
    late &= (rows["call"] == Call.RECV) & (rows["error"] == Ending.TIMEOUT)
    seconds = last.for_ns / NS_PER_S
    count = int(np.count_nonzero(sent))
    asked = np.count_nonzero(sent & (run.plan["attempt"] == 0)) / seconds
    timed_out = float(np.count_nonzero(sent & late)) / max(1, count)
    requests = max(1.0, last.requests.mean)
    if not (asked * requests <= capacity < count / seconds * requests) or timed_out < _MOSTLY:
        return None
    return RetryStorm(
        phase=last.name,
        asked_per_s=asked,
        sent_per_s=count / seconds,
        served_per_s=capacity / requests,
        timed_out=timed_out,
    )


def retry_storm_finding(evidence: Evidence) -> Finding:
    """The sentence, and the remedies with their arithmetic."""
    storm, scenario = evidence.odd.storm, evidence.scenario
    assert storm is not None, "the cause was counted from it"
    retry, backends = scenario.clients.retry, scenario.backends
    assert retry is not None, "there is no storm without"
    asked, served = format_rate(storm.asked_per_s), format_rate(storm.served_per_s)
    wait = format_ns(scenario.clients.timeout)
    room = storm.served_per_s / storm.asked_per_s if storm.asked_per_s else 1.0
    return Finding(
        sentence=(
            f"Retries kept the backends overloaded: in phase {storm.phase} {asked} were asked and "
            f"{served} could be served ({backends.count} x {backends.concurrency} at a time), but "
            f"with retries {format_rate(storm.sent_per_s)} came, and {100 * storm.timed_out:.0f} % "
            f"of these got no answer within {wait}"
        ),
        remedies=[
            (
                f"bound retries by a share of what succeeds, not by a count for each: {asked} x "
                f"(1 + {room - 1:.2g}) = {served} still fit, {asked} x {retry.attempts} tries = "
                f"{format_rate(storm.asked_per_s * retry.attempts)} do not (clients.retry.attempts)"
            ),
            (
                f"drop what nobody waits for any more: a request older than {wait} "
                f"(clients.timeout) is served for nobody, {100 * storm.timed_out:.0f} % of them"
            ),
            (
                f"leave room for the day it happens (backends.concurrency or count): to outlast "
                f"{retry.attempts} tries of everybody takes "
                f"{format_rate(storm.asked_per_s * retry.attempts)}, now {served}"
            ),
        ],
        evidence={
            "phase": storm.phase,
            "asked_per_s": storm.asked_per_s,
            "sent_per_s": storm.sent_per_s,
            "served_per_s": storm.served_per_s,
            "timed_out": storm.timed_out,
        },
    )
