"""What a run will come to, from closed forms alone: no plan is drawn, and nothing is started.

The flow of connections is followed as a fluid through the hops (`theory.fluid`). Where arrivals are
Poisson, chance loses some below the wall as well: Erlang B at the load that endless tuples would
have at that moment (`theory.erlang`). In each stretch of one time held, the larger of both counts:
above the wall the fluid, near it Erlang.

All on an ideal network and a machine that keeps up; `reach` names what these forms do not know.

Source: Jennings, Massey, A modified offered load approximation for nonstationary circuit switched
networks, Telecommunication Systems 7, 1997 (Erlang B at the moment's load).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import inf, isinf, sqrt
from typing import TYPE_CHECKING, Final

import numpy as np

from simulator.preflight.checks import check_tuples
from simulator.preflight.flow import STEPS, Flow, flow_of
from simulator.preflight.forecast import Forecast, HopForecast, HopState, PhaseForecast, course_of
from simulator.preflight.hops import (
    blocked_ns,
    every_budget,
    every_hop,
    law_text,
    remarks,
    source_of,
    waits_ns,
)
from simulator.preflight.http_cost import http_notes
from simulator.preflight.nat import ends_by_table
from simulator.preflight.reach import NotApplied, not_applied
from simulator.records import Hop
from simulator.scenario.driver import FOREIGN
from simulator.theory.erlang import erlang_b_at
from simulator.theory.fluid import Course, Stage, fluid, unlimited
from simulator.theory.little import ceiling_per_s
from simulator.theory.parity import Walk, parity_walk, stride_one_walk
from simulator.units import NS_PER_S, format_count, format_ns, format_rate

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from simulator.ports.budget import HopBudget
    from simulator.scenario.schema import Scenario
    from simulator.scenario.trace_file import Trace

    Floats = NDArray[np.float64]

#: Fewer expected failures than this are none.
NO_FAILURE: Final = 0.5
#: So far above full, what chance adds to the fluid's loss is lost in it.
_OVERLOAD: Final = 1.2
_VERDICTS: Final = {
    Hop.BALANCER_BACKEND: "balancer-source-ports",
    Hop.SIDECAR_BALANCER: "sidecar-source-ports",
}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Loss:
    """Failures of each hop at each step, shape (hops, steps), and which of them chance made."""

    refused: Floats
    by_chance: Floats


def predict(
    scenario: Scenario,
    traces: Mapping[str, Trace] | None = None,
    *,
    load: float = 1.0,
    steps: int = STEPS,
) -> Forecast:
    """Work out what a run of a scenario will come to.

    Args:
        scenario: what is asked.
        traces: the trace files that it names, as read with its own file.
        load: so many times the connections that it asks for.
        steps: that the run is cut into; fewer are quicker and less fine.

    Raises:
        Refused: a trace was not read.
    """
    flow = flow_of(scenario, traces or {}, load=load, steps=steps)
    budgets = every_budget(scenario)
    stages = [
        Stage(
            capacity=float(_capacity(scenario, hop, budget)),
            blocked_steps=_blocked_s(scenario, hop) / flow.step_s,
        )
        for hop, budget in zip(every_hop(scenario), budgets, strict=True)
    ]
    course = fluid(flow.offered, flow.stays, flow.kinds, stages)
    ideal = course
    if course.refused.any():
        ideal = fluid(flow.offered, flow.stays, flow.kinds, unlimited(stages))
    loss = _losses(scenario, flow, stages, course, ideal)
    hops = tuple(
        _hop(scenario, hop, budget, index, flow, course, loss)
        for index, (hop, budget) in enumerate(zip(every_hop(scenario), budgets, strict=True))
    )
    fullest = float(ideal.in_use[-1].max()) / max(1.0, stages[-1].capacity)
    limits = not_applied(scenario, fullest, is_walled=bool(loss.refused.sum() >= NO_FAILURE))
    return _forecast(scenario, flow, course, loss, hops, limits)


def _room(scenario: Scenario, hop: Hop, budget: HopBudget) -> int:
    """Tuples of one group that are left to traffic: health checks hold some all the time."""
    if hop is not Hop.BALANCER_BACKEND:
        return budget.budget
    held = check_tuples(scenario, blocked_ns(scenario, scenario.balancer.source))
    return max(0, budget.budget - round(min(held / budget.sources, budget.budget)))


def _capacity(scenario: Scenario, hop: Hop, budget: HopBudget) -> int:
    """Tuples of all groups that are left to traffic."""
    total = _room(scenario, hop, budget) * budget.groups
    return total if budget.most is None else min(total, budget.most)


def _blocked_s(scenario: Scenario, hop: Hop) -> float:
    waits = waits_ns(scenario, hop)
    return inf if waits is None else waits / NS_PER_S


def _losses(
    scenario: Scenario, flow: Flow, stages: Sequence[Stage], course: Course, ideal: Course
) -> _Loss:
    refused, chance = course.refused.copy(), np.zeros_like(course.refused)
    is_poisson = np.array(
        [
            phase.arrivals is not None and phase.arrivals.poisson is not None
            for phase in scenario.traffic
        ]
    )
    for index, (budget, stage) in enumerate(zip(every_budget(scenario), stages, strict=True)):
        if isinf(stage.blocked_steps) or budget.groups == 0:
            continue  # nothing comes back, so that chance has no say in who fails
        groups = budget.groups if budget.most is None else 1  # one table for all of them
        each = round(stage.capacity / groups)
        load = ideal.in_use[index] / groups
        by_chance = is_poisson[flow.kinds] & (load <= max(_OVERLOAD * each, each + 10))
        lost = flow.offered * erlang_b_at(each, np.where(by_chance, load, 0.0))
        lost = np.where(by_chance, lost, course.refused[index])
        block = max(1, round(flow.mean_open_s / flow.step_s + stage.blocked_steps))
        starts = np.arange(0, flow.steps, block)
        wins = np.add.reduceat(lost, starts) > np.add.reduceat(course.refused[index], starts)
        chosen = wins[np.arange(flow.steps) // block]
        refused[index] = np.where(chosen, lost, course.refused[index])
        chance[index] = np.where(chosen, lost, 0.0)
    return _Loss(refused=refused, by_chance=chance)


def _hop(
    scenario: Scenario,
    hop: Hop,
    budget: HopBudget,
    index: int,
    flow: Flow,
    course: Course,
    loss: _Loss,
) -> HopForecast:
    blocked_s, room = _blocked_s(scenario, hop), _room(scenario, hop, budget)
    capacity = _capacity(scenario, hop, budget)
    per_s = 0.0 if isinf(blocked_s) else ceiling_per_s(capacity, flow.mean_open_s, blocked_s)
    failed = float(loss.refused[index].sum())
    wall = _wall_at_s(loss.refused[index], course.refused[index], flow.step_s)
    peak = float(course.in_use[index].max()) / max(1, budget.groups)
    tried = float(course.offered.sum() - loss.refused[: index + 1].sum())
    return HopForecast(
        hop=hop.label,
        budget=room,
        groups=budget.groups,
        ceiling_per_s=None if isinf(per_s) else per_s,
        law=law_text(budget, flow.mean_open_s * NS_PER_S, waits_ns(scenario, hop), per_s),
        wall_at_s=wall,
        in_use_peak=peak,
        failed=failed if failed >= NO_FAILURE else 0.0,
        uses_per_tuple=tried / budget.total if budget.total else 0.0,
        walk=_walk(budget, min(budget.budget - 1, round(peak))),
    )


def _wall_at_s(refused: Floats, by_fluid: Floats, step_s: float) -> float | None:
    """When the first connection fails; the fluid's own moment where it knows one.

    Failures by chance come many at a time, and from few seeds: their sum passes one half long
    before the usual seed has its first.
    """
    for series in (by_fluid, refused):
        so_far = np.cumsum(series)
        if so_far[-1] >= NO_FAILURE:
            return float((np.argmax(so_far >= NO_FAILURE) + 1) * step_s)
    return None


def _walk(budget: HopBudget, taken: int) -> Walk | None:
    if budget.mode in ("kernel", "late-bind") and budget.budget >= 2:
        return parity_walk(budget.budget, taken)
    if budget.mode == "socket-range" and budget.budget:
        return stride_one_walk(budget.budget, taken)
    return None


def _forecast(
    scenario: Scenario,
    flow: Flow,
    course: Course,
    loss: _Loss,
    hops: tuple[HopForecast, ...],
    limits: tuple[NotApplied, ...],
) -> Forecast:
    walls = [hop for hop in hops if hop.wall_at_s is not None]
    wall = min(walls, key=lambda hop: hop.wall_at_s or 0.0) if walls else None
    asked = float(flow.offered.sum())
    failed = sum(hop.failed or 0.0 for hop in hops)
    peak_per_s = flow.asked_peak_per_s
    phases = _phases(scenario, flow, course, loss, counts=not limits)
    if limits:
        hops = tuple(replace(hop, failed=None) for hop in hops)
    verdict = "ok" if wall is None else _verdict(scenario, wall.hop)
    sentence = _sentence(hops, wall, asked, None if limits else failed, peak_per_s)
    if verdict == "nat-table":
        sentence = sentence.replace("source ports", "rows of its table", 1)
    return Forecast(
        verdict=verdict,
        sentence=sentence,
        asked=asked,
        asked_deviation=sqrt(flow.asked_variance),
        asked_peak_per_s=peak_per_s,
        ok=None if limits else asked - failed,
        failed=None if limits else failed,
        hops=hops,
        phases=phases,
        course=course_of(flow, course, loss.refused, every_budget(scenario)),
        not_applied=limits,
        notes=(
            *remarks(scenario),
            *http_notes(scenario, flow.sample, peak_per_s),
            *_unvalidated(scenario),
        ),
    )


def _unvalidated(scenario: Scenario) -> tuple[str, ...]:
    """Where a forecast was never held against a run."""
    driver = scenario.balancer.driver
    if driver not in FOREIGN:
        return ()
    return (f"unvalidated: forecasts were held against runs of our own relay, not of {driver}",)


def _verdict(scenario: Scenario, label: str) -> str:
    """What a run is called that runs out on a hop."""
    [hop] = [one for one in every_hop(scenario) if one.label == label]
    if hop is Hop.NAT_BACKEND:
        return "nat-table" if ends_by_table(scenario) else "nat-ports"
    if source_of(scenario, hop).ports == "early-bind":
        return "bind-conflict"  # bind() finds no port before connect() is called
    return _VERDICTS.get(hop, "client-source-ports")


def _phases(
    scenario: Scenario, flow: Flow, course: Course, loss: _Loss, *, counts: bool
) -> tuple[PhaseForecast, ...]:
    found = []
    for index, phase in enumerate(scenario.traffic):
        steps = np.flatnonzero(flow.kinds == index)
        last = int(steps[-1]) if len(steps) else 0
        asked = float(flow.offered[steps].sum())
        failed = float(loss.refused[:, steps].sum())
        failed = failed if failed >= NO_FAILURE else 0.0
        states = []
        for row, budget in enumerate(every_budget(scenario)):
            groups = max(1, budget.groups)
            in_use = float(course.in_use[row, last]) / groups
            is_open = max(0.0, min(in_use, float(course.is_open[last]) / groups))
            states.append(
                HopState(
                    hop=budget.name,
                    in_use=in_use,
                    established=is_open,
                    time_wait=max(0.0, in_use - is_open),
                )
            )
        found.append(
            PhaseForecast(
                name=phase.name,
                end_s=flow.ends_s[index],
                asked=asked,
                ok=asked - failed if counts else None,
                failed=failed if counts else None,
                by=_by(failed, float(loss.by_chance[:, steps].sum())),
                states=tuple(states),
            )
        )
    return tuple(found)


def _by(failed: float, by_chance: float) -> str:
    if not failed:
        return "none"
    if by_chance < 0.05 * failed:
        return "fluid limit"
    return "Erlang B" if by_chance > 0.95 * failed else "fluid limit and Erlang B"


def _sentence(
    hops: tuple[HopForecast, ...],
    wall: HopForecast | None,
    asked: float,
    failed: float | None,
    peak_per_s: float,
) -> str:
    if wall is None:
        fullest = max(hops, key=lambda hop: hop.in_use_peak / max(1, hop.budget))
        share = fullest.in_use_peak / max(1, fullest.budget)
        known = " as far as ports go" if failed is None else ""
        return (
            f"No wall{known}: {format_count(asked)} connections take at most "
            f"{format_count(fullest.in_use_peak)} of {format_count(fullest.budget)} tuples "
            f"({100 * share:.1f} %) on {fullest.hop}, the fullest hop."
        )
    runs_out = wall.hop.partition("-")[0].replace("nat", "NAT")
    at = format_ns((wall.wall_at_s or 0.0) * NS_PER_S)
    text = (
        f"The {runs_out} will run out of source ports on {wall.hop} after {at}: {wall.law}, asked "
        f"up to {format_rate(peak_per_s)}"
    )
    if failed is None:
        return f"{text}."
    share = failed / asked if asked else 0.0
    return (
        f"{text}; {format_count(failed)} of {format_count(asked)} connections "
        f"({100 * share:.1f} %) will fail."
    )
