"""From a goal back to what reaches it: addresses, ports, destinations, reuse, close side, time.

Each change is a scenario of its own, asked for by the same ``path=value`` as on the command line,
and answered by `predict`: a proposal is shown only if its own forecast meets the goal. More of
something never hurts, so that the least amount is found by doubling and halving.
"""

from __future__ import annotations

import operator
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from simulator.errors import ScenarioError, UsageError
from simulator.ports.range import PortRange
from simulator.preflight.hops import TOWARD_A_RELAY, every_hop, source_of, source_ports, waits_ns
from simulator.preflight.nat_knobs import INSTEAD, nat_knobs
from simulator.records import Hop
from simulator.scenario.backends import MAX_BACKENDS
from simulator.scenario.nat import nat_hosts
from simulator.scenario.schema import BINDS_A_PORT
from simulator.traffic.shapes import ends_per_s

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from simulator.preflight.forecast import Forecast
    from simulator.scenario.schema import Scenario

    Sets = tuple[str, ...]
    Ask = Callable[[Sets], Forecast]

_GOAL_RE: Final = re.compile(r"\s*failed\s*(<=|<|==)\s*(\d{1,12}(?:\.\d{1,9})?)\s*(%?)\s*")
_HOLDS: Final = {"<": operator.lt, "<=": operator.le, "==": operator.eq}
MAX_ADDRESSES: Final = 4096
MAX_REUSE: Final = 1000
WIDEST: Final = PortRange(1024, 65535)
_MS: Final = 1_000_000
#: What a change costs, so that mixes can be compared: a setting is one, an address that must be
#: given and routed is two, a change of who closes or of reuse changes programs, and each further
#: destination is a listener to run.
COSTS: Final = {
    "range": 1.0,
    "time_wait": 1.0,
    "mode": 1.0,
    "addresses": 2.0,
    "reuse": 3.0,
    "close": 4.0,
    "destinations": 5.0,
    "nat-ports": 1.0,
    "nat-table": 1.0,
    "nat-addresses": 2.0,
    "nat-preset": 3.0,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Goal:
    """A bound on failed connections: a number, or a share of those asked for (0..1)."""

    text: str
    comparison: str
    bound: float
    is_share: bool

    def holds(self, forecast: Forecast) -> bool:
        """Whether a forecast meets it; never where counts are not predicted."""
        return forecast.failed is not None and self.holds_counts(forecast.failed, forecast.asked)

    def holds_counts(self, failed: float, asked: float) -> bool:
        """Whether so many failures of so many connections meet it."""
        share = failed / max(1.0, asked) if self.is_share else failed
        return bool(_HOLDS[self.comparison](share, self.bound))


def parse_goal(text: str) -> Goal:
    """Read ``failed < 0.01 %``, ``failed <= 10`` or ``failed == 0``.

    Raises:
        UsageError: it is none of these.
    """
    match = _GOAL_RE.fullmatch(text)
    if match is None:
        raise UsageError(
            f"The goal {text!r} is not known; write 'failed < 0.01 %' or 'failed == 0'"
        )
    share = bool(match[3])
    bound = float(match[2]) / (100.0 if share else 1.0)
    return Goal(text=text.strip(), comparison=match[1], bound=bound, is_share=share)


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One thing that is changed.

    Attributes:
        kind: key of COSTS.
        part: ``clients``, ``balancer``, ``sidecar``, ``backends``, ``kernel`` or a NAT's preset.
        before: as it stands.
        after: as proposed.
    """

    kind: str
    part: str
    before: str
    after: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """Changes that together meet a goal.

    Attributes:
        changes: what is changed, one thing or a mix.
        sets: the same as ``--set`` takes it.
        cost: by COSTS.
        forecast: of the scenario so changed.
    """

    changes: tuple[Change, ...]
    sets: Sets
    cost: float
    forecast: Forecast


@dataclass(frozen=True, slots=True, kw_only=True)
class _Knob:
    """Something that there may be more of: what to set for an amount, and what that is called."""

    kind: str
    part: str
    low: int
    high: int
    sets: Callable[[int], Sets]
    shown: Callable[[int], str]


def proposals(scenario: Scenario, forecast: Forecast, goal: Goal, ask: Ask) -> tuple[Proposal, ...]:
    """What meets a goal, each thing alone and two mixes, cheapest first; empty when nothing does.

    Args:
        scenario: as it stands.
        forecast: of it.
        goal: not met by it.
        ask: the forecast of the scenario with some ``path=value`` set.

    Raises:
        UsageError: counts are not predicted for this scenario.
    """
    if forecast.not_applied:
        names = ", ".join(one.name for one in forecast.not_applied)
        raise UsageError(f"Failures of this scenario are not predicted, because of: {names}")
    failing = max(forecast.hops, key=lambda hop: hop.failed or 0.0).hop
    [hop] = [one for one in every_hop(scenario) if one.label == failing]
    knobs = {knob.kind: knob for knob in _knobs(scenario, hop)}
    found = [_least(knob, goal, ask, ()) for knob in knobs.values()]
    found += [_switched(change, sets, goal, ask) for change, sets in _switches(scenario, hop)]
    met = [one for one in found if one is not None]
    met += _mixes(knobs, met, goal, ask)
    return tuple(sorted(met, key=lambda one: one.cost))


def _mixes(
    knobs: dict[str, _Knob], alone: list[Proposal], goal: Goal, ask: Ask
) -> Iterator[Proposal]:
    """The widest range, where that is not enough, with the fewest addresses or destinations."""
    widened = knobs.get("range")
    if widened is None or any(one.changes[0].kind == "range" for one in alone):
        return
    for kind in ("addresses", "destinations"):
        if kind in knobs:
            mix = _least(knobs[kind], goal, ask, _widest(widened))
            least = [one for one in alone if one.changes[0].kind == kind]
            # A mix that needs as many of them has not gained by the range.
            if mix is not None and all(mix.cost < one.cost for one in least):
                yield mix


def _knobs(scenario: Scenario, hop: Hop) -> Iterator[_Knob]:
    """What there may be more of, or less of in the case of TIME_WAIT."""
    if hop is Hop.NAT_BACKEND:
        yield from _nat_knobs(scenario)
        return
    source, part = source_of(scenario, hop), hop.label.partition("-")[0]
    part = "clients" if part == "client" else part
    yield _Knob(
        kind="addresses",
        part=part,
        low=source.addresses,
        high=MAX_ADDRESSES,
        sets=lambda count: (f"{part}.source.addresses={count}",),
        shown=lambda count: f"{count:,} source address{'es' * (count > 1)}",
    )
    ports = source_ports(scenario, source)
    own = source.ports in BINDS_A_PORT or source.range is not None
    key = f"{part}.source.range" if own else "kernel.port_range"
    if len(ports) < len(WIDEST):
        yield _Knob(
            kind="range",
            part=part if own else "kernel",
            low=len(ports),
            high=len(WIDEST),
            sets=lambda count: (f"{key}={grown(ports, count)}",),
            shown=lambda count: f"ports {grown(ports, count)}",
        )
    if hop not in TOWARD_A_RELAY and source.ports not in ("early-bind", "permanent"):
        yield _destinations(scenario)
    waits = waits_ns(scenario, hop)
    if waits and waits == scenario.kernel.time_wait and waits > _MS:
        most = waits // _MS
        yield _Knob(
            kind="time_wait",
            part="kernel",
            low=0,
            high=most - 1,
            sets=lambda less: (f"kernel.time_wait={most - less}ms",),
            shown=lambda less: f"TIME_WAIT of {most - less:,}ms",
        )
    if can_be_reused(scenario):
        yield _reused(scenario)


def _destinations(scenario: Scenario) -> _Knob:
    return _Knob(
        kind="destinations",
        part="backends",
        low=scenario.backends.count,
        high=min(MAX_BACKENDS, 256 * scenario.backends.count),
        sets=lambda count: (f"backends.count={count}",),
        shown=lambda count: f"{count:,} destination{'s' * (count > 1)}",
    )


def _reused(scenario: Scenario) -> _Knob:
    return _Knob(
        kind="reuse",
        part="clients",
        low=1,
        high=MAX_REUSE,
        sets=lambda each: tuple(_reuse(scenario, each)),
        shown=lambda each: f"{each:,} request{'s' * (each > 1)} for each connection",
    )


def _nat_knobs(scenario: Scenario) -> Iterator[_Knob]:
    assert scenario.nat is not None, "it is the NAT that runs out"
    for one in nat_knobs(scenario):
        yield _Knob(
            kind=one.kind,
            part=scenario.nat.preset,
            low=one.low,
            high=one.high,
            sets=one.sets,
            shown=one.shown,
        )
    yield _destinations(scenario)
    if can_be_reused(scenario):
        yield _reused(scenario)


def can_be_reused(scenario: Scenario) -> bool:
    """Whether each phase is short connections of one request at a rate that can be divided."""
    return all(
        phase.arrivals is not None
        and phase.arrivals.rate is not None
        and phase.arrivals.rate.shape == "ramp"
        and phase.requests.mean == 1
        and not phase.lifetime.mean_ns
        for phase in scenario.traffic
    )


def _reuse(scenario: Scenario, each: int) -> Iterator[str]:
    for index, phase in enumerate(scenario.traffic):
        assert phase.arrivals is not None, "can_be_reused looked"
        assert phase.arrivals.rate is not None, "can_be_reused looked"
        kind = "constant" if phase.arrivals.constant is not None else "poisson"
        low, high = (f"{end / each:.6f}/s" for end in ends_per_s(phase.arrivals.rate))
        yield f"traffic.{index}.arrivals.{kind}={{from: {low}, to: {high}}}"
        yield f"traffic.{index}.requests={{constant: {each}}}"


def grown(ports: PortRange, count: int) -> PortRange:
    """A range of so many ports, or one more, that holds another one: upwards, then downwards.

    An even number of them, since connect() goes through them in steps of two.
    """
    more = min(count + count % 2, len(WIDEST)) - len(ports)
    above = min(more, WIDEST.last - ports.last)
    return PortRange(max(WIDEST.first, ports.first - (more - above)), ports.last + above)


def _switches(scenario: Scenario, hop: Hop) -> Iterator[tuple[Change, Sets]]:
    """What is one thing or another."""
    source, close = source_of(scenario, hop), scenario.balancer.close
    part = hop.label.partition("-")[0]
    part = "clients" if part == "client" else part
    if waits_ns(scenario, hop):
        # A backend closes once it has answered, so that a lifetime would be lost with it.
        lives = any(phase.hold or phase.lifetime.mean_ns for phase in scenario.traffic)
        for other in ("reset",) if lives else ("backend", "reset"):
            change = Change(
                kind="close", part="balancer", before=f"closed by {close}", after=f"by {other}"
            )
            yield change, (f"balancer.close={other}",)
    if hop is Hop.NAT_BACKEND and scenario.nat is not None:
        other_nat = INSTEAD.get(scenario.nat.preset)
        if other_nat is not None:
            before = scenario.nat.preset
            change = Change(kind="nat-preset", part=before, before=before, after=other_nat)
            same = f"addresses: {scenario.nat.addresses}, hosts: {nat_hosts(scenario)}"
            yield change, (f"nat={{preset: {other_nat}, {same}}}",)
        return
    modes = {"early-bind": "late-bind", "permanent": "kernel", "kernel": "userspace"}
    mode = modes.get(source.ports)
    if mode is not None:
        change = Change(kind="mode", part=part, before=f"ports by {source.ports}", after=mode)
        yield change, (f"{part}.source.ports={mode}",)


def _switched(change: Change, sets: Sets, goal: Goal, ask: Ask) -> Proposal | None:
    forecast = _asked(ask, sets)
    if forecast is None or not goal.holds(forecast):
        return None
    return Proposal(changes=(change,), sets=sets, cost=COSTS[change.kind], forecast=forecast)


def _widest(knob: _Knob) -> tuple[tuple[Change, Sets], ...]:
    return ((_change(knob, knob.high), knob.sets(knob.high)),)


def _change(knob: _Knob, amount: int) -> Change:
    return Change(
        kind=knob.kind, part=knob.part, before=knob.shown(knob.low), after=knob.shown(amount)
    )


def _least(
    knob: _Knob, goal: Goal, ask: Ask, with_: tuple[tuple[Change, Sets], ...]
) -> Proposal | None:
    """The least amount that meets the goal, together with other changes."""
    others = tuple(part for _, sets in with_ for part in sets)

    def forecast_at(amount: int) -> Forecast | None:
        found = _asked(ask, (*others, *knob.sets(amount)))
        return found if found is not None and goal.holds(found) else None

    below, amount = knob.low, knob.low
    step = max(1, knob.low // 8)
    met = None
    while met is None and amount < knob.high:
        below, amount = amount, min(knob.high, amount + step)
        met = forecast_at(amount)
        step *= 2
    if met is None:
        return None
    while amount - below > 1:
        middle = (amount + below) // 2
        found = forecast_at(middle)
        if found is None:
            below = middle
        else:
            amount, met = middle, found
    changes = (*(change for change, _ in with_), _change(knob, amount))
    return Proposal(
        changes=changes,
        sets=(*others, *knob.sets(amount)),
        cost=sum(COSTS[one.kind] for one, _ in with_) + _cost(knob, amount),
        forecast=met,
    )


def _cost(knob: _Knob, amount: int) -> float:
    many = ("addresses", "destinations", "nat-addresses")
    more = amount - knob.low if knob.kind in many else 1
    return COSTS[knob.kind] * more


def _asked(ask: Ask, sets: Sets) -> Forecast | None:
    """The forecast of a change; None where the scenario would not be one any more."""
    try:
        return ask(sets)
    except ScenarioError:
        return None
