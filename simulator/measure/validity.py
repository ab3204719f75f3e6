"""Reasons to doubt a measurement, each with what to do about it.

An *invalid* doubt means that the numbers do not answer the question of the scenario: the
generator was the limit, a role was lost, the machine stood still. Other doubts leave the numbers
standing and say how to read them. Every limit is a constant here, with its reason.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from simulator.measure.driver import driver_doubts, driver_notes
from simulator.measure.histogram import Histogram
from simulator.measure.latency import times_ns
from simulator.measure.modelled import is_modelled, model_notes
from simulator.measure.phases import measured, spans, stopped_at_ns
from simulator.measure.precision import trends
from simulator.measure.roles import busiest_share, kernel_counters, sampler_share
from simulator.measure.state_doubts import state_doubts
from simulator.preflight.hops import hops_of, waits_ns
from simulator.records import NEEDLESS
from simulator.units import NS_PER_S, format_count, format_ns

if TYPE_CHECKING:
    from simulator.engine import Run
    from simulator.measure.accounting import Attempts

#: An open-loop plan of which less was sent is another, easier plan.
LEAST_SENT: Final = 0.99
#: Lateness that is a tenth of what is measured shows in its third digit ...
LAG_SHARE: Final = 0.1
#: ... but timers and wake-ups alone cost up to this at the 99th percentile.
LAG_FLOOR_NS: Final = 2_000_000
#: Lateness above both this and the median response time is a queue in the generator.
LAG_INVALID_NS: Final = 50_000_000
#: A core this busy has no room to be on time.
BUSY_CORE: Final = 0.8
#: Reading the socket table should not be seen in what is measured.
SAMPLER_CORE: Final = 0.02
#: Taken by the hypervisor: above this, times belong to other tenants too.
STEAL: Final = 0.01
#: A role that was not scheduled for so long was stopped, not late.
PAUSE_NS: Final = NS_PER_S


@dataclass(frozen=True, slots=True, kw_only=True)
class Doubt:
    """One reason to doubt a run; ``invalid`` when its numbers must not be used."""

    code: str
    message: str
    remedy: str
    invalid: bool = False

    def as_dict(self) -> dict[str, Any]:
        """The form in a summary."""
        return asdict(self)


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def generator_doubts(run: Run, attempts: Attempts) -> list[Doubt]:
    """Whether the load generator did what the plan asked, and on time."""
    found: list[Doubt] = []
    needless = attempts.not_sent.get(NEEDLESS, 0)
    due = attempts.planned - attempts.not_sent.get("stopped", 0) - needless
    behind = attempts.not_sent.get("generator", 0)
    if due and behind > (1 - LEAST_SENT) * due:
        found.append(
            Doubt(
                code="generator-limited",
                message=f"generator limited: sent {_percent(1 - behind / due)} of the plan",
                remedy="raise clients.processes, or ask for a lower rate",
                invalid=True,
            )
        )
    starved = attempts.not_sent.get("descriptors", 0)
    if starved:
        found.append(
            Doubt(
                code="generator-descriptors",
                message=f"the generator had no descriptor for {format_count(starved)} connections",
                remedy="raise clients.processes or the descriptor limit (ulimit -n)",
                invalid=True,
            )
        )
    found += _lag_doubts(run)
    share = busiest_share(run, "client")
    if share is not None and share > BUSY_CORE:
        found.append(
            Doubt(
                code="generator-busy",
                message=f"a generator process used {_percent(share)} of its core",
                remedy="raise clients.processes, or ask for a lower rate",
            )
        )
    return found


def _lag_doubts(run: Run) -> list[Doubt]:
    times = times_ns(run)
    if not len(times["lag"]):
        return []
    lag = Histogram(times["lag"].astype(np.int64)).quantiles([0.99])[0]
    ended = np.maximum(times["response"], 0).astype(np.int64)
    response = Histogram(ended).quantiles([0.5])[0] if len(ended) else 0
    invalid = lag > max(LAG_INVALID_NS, response)
    if not invalid and lag <= max(LAG_FLOOR_NS, LAG_SHARE * response):
        return []
    return [
        Doubt(
            code="generator-late",
            message=(
                f"connections were sent late: p99 {format_ns(lag)}, "
                f"while the median response took {format_ns(response)}"
            ),
            remedy="raise clients.processes, or ask for a lower rate; response counts the lateness",
            invalid=invalid,
        )
    ]


def observer_doubts(run: Run) -> list[Doubt]:
    """Whether watching changed what was watched, or missed something."""
    if not run.samples:
        return [
            Doubt(
                code="not-sampled",
                message="the socket table was never read: occupancy is unknown",
                remedy="make the run longer than sampling.every",
            )
        ]
    found: list[Doubt] = []
    share = sampler_share(run)
    if share is not None and share > SAMPLER_CORE:
        found.append(
            Doubt(
                code="observer",
                message=f"reading the socket table took {_percent(share)} of a core",
                remedy="raise sampling.every",
            )
        )
    torn = sum(1 for sample in run.samples if not sample.get("complete", True))
    if torn:
        found.append(
            Doubt(
                code="samples-partial",
                message=f"{torn} of {len(run.samples)} samples are lower bounds: the table "
                f"changed while it was read",
                remedy="take peaks as at least, or raise sampling.every",
            )
        )
    return found


def transient_doubts(run: Run) -> list[Doubt]:
    """Whether ports had time to come back before rates were taken.

    Until one TIME_WAIT has passed, no closed connection has given its tuple back, and a rate is
    that of an empty range. A warm-up of one TIME_WAIT, or a window of two, shows the steady state.
    """
    scenario = run.scenario
    if all(phase.hold is not None for phase in scenario.traffic):
        return []
    waits = [waits_ns(scenario, hop) for hop in hops_of(run.scenario)]
    hold_s = max((wait for wait in waits if wait is not None), default=0) / NS_PER_S
    all_spans = spans(run)
    window = sum(span.seconds for span in measured(all_spans))
    warm = sum(span.seconds for span in all_spans if span.warmup)
    if warm >= hold_s or window >= 2 * hold_s:
        return []
    return [
        Doubt(
            code="start-up-transient",
            message=f"measured for {window:.3g}s, less than twice TIME_WAIT ({hold_s:.3g}s): "
            f"ports had no time to come back",
            remedy=f"add a warm-up of {hold_s:.3g}s, or measure for at least {2 * hold_s:.3g}s",
        )
    ]


def machine_doubts(run: Run) -> list[Doubt]:
    """Whether the machine or a role stood still, was taken away, or was lost."""
    found: list[Doubt] = []
    for event in run.events:
        kind = event.get("event")
        if kind == "role-lost":
            role = f"{event.get('role', 'role')} {event.get('index', '')}".strip()
            cause = event.get("signal", event.get("code"))
            ended = "" if cause is None else f" (ended with {cause})"
            found.append(
                Doubt(
                    code="role-lost",
                    message=f"{role} was lost{ended}: its share is missing",
                    remedy="run again; see events.jsonl for what it last said",
                    invalid=True,
                )
            )
    found += _pause_doubts(run)
    found += _steal_doubts(run)
    if stopped_at_ns(run) is not None:
        found.append(
            Doubt(
                code="interrupted",
                message="the run was stopped before its end; rates cover the part that ran",
                remedy="let it run to its end",
            )
        )
    return found


def _pause_doubts(run: Run) -> list[Doubt]:
    """One doubt for each kind of role that stood still, however often it did.

    Once the last phase is over nothing is due any more, and what is held only has to be closed: a
    role that is slow then spoils no measurement. Nor does a sampler that counts a million sockets:
    its samples are rarer for that, and a machine that stood still would have stopped others too.
    """
    gaps: dict[tuple[bool, str], list[int]] = {}
    for event in run.events:
        gap_ns = int(event.get("gap_ns", 0))
        if event.get("event") in ("pause", "suspend") and gap_ns >= PAUSE_NS:
            is_over = int(event.get("t_ns", 0)) - gap_ns >= run.scenario.duration_ns
            who = str(event.get("role", "the machine"))
            gaps.setdefault((is_over, who), []).append(gap_ns)
    return [
        Doubt(
            code="pause",
            message=(
                f"{who} stood still for {format_ns(max(found))}"
                + (f" and {len(found) - 1} times more for less" if len(found) > 1 else "")
                + (", when all traffic had come" if is_over else "")
            ),
            remedy="run again on a machine that is not suspended or overloaded",
            invalid=not is_over and who != "sampler",
        )
        for (is_over, who), found in gaps.items()
    ]


def _state_doubts(run: Run) -> list[Doubt]:
    return [
        Doubt(code=code, message=message, remedy=remedy)
        for code, message, remedy in (
            *state_doubts(run, hops_of(run.scenario), kernel_counters(run)),
            *driver_doubts(run),
        )
    ]


def trend_doubts(run: Run) -> list[Doubt]:
    """Whether a phase that asks for the same all the time was answered ever slower or faster."""
    return [
        Doubt(
            code="not-stationary",
            message=f"phase {name} asks for the same all the time, but its median service time at "
            f"the end was {ratio:.2g} times that at its start",
            remedy="add a warm-up, or look at the run over time: show --output csv",
        )
        for name, ratio in trends(run)
    ]


def _steal_doubts(run: Run) -> list[Doubt]:
    shares = [float(event["steal_share"]) for event in run.events if "steal_share" in event]
    if max(shares, default=0.0) <= STEAL:
        return []
    return [
        Doubt(
            code="steal",
            message=f"the hypervisor took {_percent(max(shares))} of the CPU",
            remedy="run again when the host is quiet",
        )
    ]


def find_doubts(run: Run, attempts: Attempts) -> list[Doubt]:
    """Every reason to doubt a run, those that make it invalid first."""
    found = [
        *generator_doubts(run, attempts),
        *machine_doubts(run),
        *observer_doubts(run),
        *transient_doubts(run),
        *_state_doubts(run),
        *trend_doubts(run),
    ]
    if attempts.open_at_end:
        still = format_count(attempts.open_at_end)
        found.append(
            Doubt(
                code="open-at-end",
                message=f"{still} connections were still open when the run ended",
                remedy="raise grace, or shorten lifetimes",
            )
        )
    return sorted(found, key=lambda doubt: not doubt.invalid)


def notes(run: Run) -> list[str]:
    """What is true of every run of this kind, and is no doubt."""
    if is_modelled(run):
        return model_notes(run)
    texts = [
        "Everything ran over loopback on one machine: rates and times say nothing about a network."
    ]
    waits = run.scenario.kernel.time_wait
    if waits < 60 * NS_PER_S:
        texts.append(
            f"TIME_WAIT was {format_ns(waits)} (tcp_tw_reuse=1 with tcp_tw_reuse_delay); "
            f"the kernel's own constant is 60s, so real walls of "
            f"TIME_WAIT stand up to {60 * NS_PER_S / waits:,.0f} times lower."
        )
    texts += driver_notes(run)
    return texts
