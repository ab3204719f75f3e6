"""The tuples of each hop of a scenario, how long each is held, and the rate they sustain.

Who keeps a tuple after the close, by the scenario's `balancer.close`:

=========  ============================  ============================
close      client's port                 balancer's port to a backend
=========  ============================  ============================
client     TIME_WAIT                     TIME_WAIT (passed on)
balancer   free at once                  TIME_WAIT
backend    free at once                  free at once
reset      free at once                  free at once
=========  ============================  ============================

A sidecar's port toward the balancer is held as a client's port is.

The side that closes first keeps it; where that is the accepting end, the tuple waits on a fixed
port, and a new SYN takes it over.

Source: RFC 9293, sections 3.4.2 and 3.6.1; Linux 6.18, seen in a private network namespace.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import permutations
from math import ceil, inf
from typing import TYPE_CHECKING, Final

import numpy as np

from simulator.kernel.sysctls import KERNEL_TIME_WAIT_NS
from simulator.ports.budget import HopBudget, ports_within
from simulator.ports.range import PortRange
from simulator.preflight.checks import check_remark
from simulator.preflight.nat import nat_budget, nat_waits_ns
from simulator.records import Hop
from simulator.scenario.resolver import has_resolver, pool_range
from simulator.scenario.schema import BINDS_A_PORT, KERNEL_PICKS
from simulator.theory.little import ceiling_per_s
from simulator.traffic.plan import overlap_at
from simulator.traffic.shapes import peak_per_s
from simulator.units import NS_PER_S, format_count, format_ns, format_rate

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from simulator.scenario.schema import Scenario
    from simulator.scenario.source import Source
    from simulator.traffic.plan import Plan

    Times = NDArray[np.int64]

#: Where the balancer listens, and a sidecar on an address of its own.
FRONT_PORT: Final = 8080
#: Hops whose far end is a relay: one address and port, however many backends there are.
TOWARD_A_RELAY: Final = frozenset({Hop.CLIENT_BALANCER, Hop.CLIENT_SIDECAR, Hop.SIDECAR_BALANCER})


@dataclass(frozen=True, slots=True, kw_only=True)
class Ceiling:
    """What a hop's tuples sustain, against what the plan asks.

    All on an ideal network and with connections spread evenly over sources and destinations.

    Attributes:
        hop: the hop's label.
        tuples: of all groups together.
        open_ns: mean time a connection is open.
        blocked_ns: time its tuple stays blocked after the close; None = for ever.
        per_s: connections per second that can go on and on; 0 when tuples never come back.
        asked_per_s: the plan's highest rate.
        needed: most tuples in use at once if all could be had.
        runs_out_at_ns: when the plan first finds none left, ns since its start; None = never.
        sentence: all of it in words.
    """

    hop: str
    tuples: int
    open_ns: float
    blocked_ns: int | None
    per_s: float
    asked_per_s: float
    needed: int
    runs_out_at_ns: int | None
    sentence: str


def hops_of(scenario: Scenario) -> tuple[Hop, ...]:
    """The hops of a scenario, in the order a connection takes them."""
    if scenario.balancer.driver == "none":
        return (Hop.CLIENT_BACKEND,)
    if scenario.sidecar is not None:
        return (Hop.CLIENT_SIDECAR, Hop.SIDECAR_BALANCER, Hop.BALANCER_BACKEND)
    return (Hop.CLIENT_BALANCER, Hop.BALANCER_BACKEND)


def every_hop(scenario: Scenario) -> tuple[Hop, ...]:
    """The hops, and the one behind a NAT where there is one: nobody dials there."""
    return (*hops_of(scenario), *(() if scenario.nat is None else (Hop.NAT_BACKEND,)))


def client_hop(scenario: Scenario) -> Hop:
    """The hop that clients connect on."""
    return hops_of(scenario)[0]


def source_of(scenario: Scenario, hop: Hop) -> Source:
    """Where the connections of a hop come from."""
    if hop is Hop.SIDECAR_BALANCER and scenario.sidecar is not None:
        return scenario.sidecar.source
    if hop is Hop.NAT_BACKEND:  # whose connections they are behind the NAT
        hop = hops_of(scenario)[-1]
    return scenario.balancer.source if hop is Hop.BALANCER_BACKEND else scenario.clients.source


def source_ports(scenario: Scenario, source: Source) -> PortRange:
    """The ports that a source picks from."""
    if source.rules is not None:
        return source.range or source.rules.ports
    if has_resolver(scenario) and source is scenario.balancer.source:
        return pool_range(scenario)
    if source.range is not None and source.ports not in ("kernel", "early-bind", "late-bind"):
        return source.range
    return scenario.kernel.port_range


def hop_budgets(scenario: Scenario) -> tuple[HopBudget, ...]:
    """The tuples of each hop, in the order a connection takes them."""
    return tuple(_budget(scenario, hop) for hop in hops_of(scenario))


def every_budget(scenario: Scenario) -> tuple[HopBudget, ...]:
    """The tuples of each of `every_hop`."""
    behind = () if scenario.nat is None else (nat_budget(scenario, scenario.nat),)
    return (*hop_budgets(scenario), *behind)


def _budget(scenario: Scenario, hop: Hop) -> HopBudget:
    source = source_of(scenario, hop)
    ports = source_ports(scenario, source)
    resolver = scenario.balancer.resolver
    if hop is Hop.BALANCER_BACKEND and resolver is not None:
        return HopBudget(
            name=hop.label,
            mode="pool",
            sources=1,
            destinations=scenario.backends.count,
            range_text=str(ports),
            reserved=ports_within(ports, resolver.pool.exclude),
            listening=0,
            # A port serves as many questions at once as there are IDs.
            budget=resolver.pool.size << resolver.id_bits,
            per="address",
        )
    is_here = source.rules is None
    kernel_chooses = is_here and source.ports not in BINDS_A_PORT
    # An explicit bind may take a reserved port; only the kernel's own choice leaves it out.
    reserved = ports_within(ports, scenario.kernel.reserved_ports) if kernel_chooses else 0
    # connect() passes over a port that a listener holds on any address; bind() does not mind.
    passes_over = is_here and source.ports in KERNEL_PICKS
    listening = listeners_within(scenario, ports) if passes_over else 0
    per_address = source.ports in ("early-bind", "permanent")
    return HopBudget(
        name=hop.label,
        mode=source.ports if is_here else source.system,
        sources=source.addresses,
        destinations=1 if hop in TOWARD_A_RELAY else scenario.backends.count,
        range_text=str(ports),
        reserved=reserved,
        listening=listening,
        budget=max(0, len(ports) - reserved - listening),
        per="address" if per_address else "tuple",
    )


def listeners_within(scenario: Scenario, ports: PortRange) -> int:
    """How many ports of a range backends and the balancer's front hold, at most.

    Listeners on several addresses may meet on one port, so that fewer are lost.
    """
    backends = scenario.backends
    reserved = scenario.kernel.reserved_ports
    front = 1 if scenario.balancer.driver != "none" and FRONT_PORT in ports else 0
    if backends.ports in ("permanent", "fixed"):
        first = (backends.listen_range or ports).first
        held = PortRange(first, min(65535, first + backends.count - 1))
        return ports_within(ports, [held]) + front
    listen = backends.listen_range
    if listen is not None:
        return min(backends.count, ports_within(ports, [listen])) + front
    shared = ports_within(ports, [scenario.kernel.port_range])
    usable = shared - ports_within(ports, reserved)
    return min(backends.count, max(0, usable)) + front


def blocked_ns(scenario: Scenario, source: Source) -> int | None:
    """How long a source's port in TIME_WAIT is out of reach for its next connect; None = for ever.

    A port that is named in bind() with SO_REUSEADDR takes its own TIME_WAIT over at once, given
    timestamps. bind() to port 0 knows no tcp_tw_reuse, so early bind waits the full 60 s whatever
    the scenario's `time_wait`. Without timestamps nothing is ever reused early.

    Source: Linux `tcp_twsk_unique`, `inet_csk_find_open_port`; seen on 6.18.
    """
    if has_resolver(scenario):
        return 0  # UDP keeps nothing
    if source.ports == "permanent":
        return None
    if source.rules is not None:
        return source.rules.time_wait_ns if source.time_wait is None else source.time_wait
    if source.ports == "early-bind" or not _has_timestamps(scenario):
        return KERNEL_TIME_WAIT_NS
    return 0 if source.ports == "userspace" else scenario.kernel.time_wait


def _has_timestamps(scenario: Scenario) -> bool:
    return scenario.kernel.sysctls.get("net.ipv4.tcp_timestamps", 1) != 0


def waits_ns(scenario: Scenario, hop: Hop) -> int | None:
    """TIME_WAIT on the connecting side of a hop, by who closes first; None = never given back."""
    if hop is Hop.NAT_BACKEND and scenario.nat is not None:
        return nat_waits_ns(scenario, scenario.nat)
    source = source_of(scenario, hop)
    keeps = {"client"} if hop is not Hop.BALANCER_BACKEND else {"client", "balancer"}
    if source.ports == "permanent" or scenario.balancer.close in keeps:
        return blocked_ns(scenario, source)
    return 0


def open_ns(scenario: Scenario, plan: Plan) -> Times:
    """How long each connection is open on an ideal network, given who closes it, ns."""
    close = scenario.balancer.close
    streams = _stream_ns(scenario, plan)
    if close == "balancer":
        return plan.answered_ns() + streams + scenario.balancer.idle_timeout
    if close == "backend":
        lifetimes = plan.columns["lifetime_ns"]
        answered = plan.answered_ns() + streams
        asks: Times = np.where(plan.columns["requests"] > 0, answered, lifetimes)
        return asks
    held: Times = plan.held_ns() + streams
    return held


def _stream_ns(scenario: Scenario, plan: Plan) -> Times:
    """How long the paced chunks of a connection's answers take beyond the first, ns."""
    stream = scenario.backends.stream
    if stream is None:
        return np.zeros(plan.connections, dtype=np.int64)
    chunks = -(-plan.columns["response_bytes"].astype(np.int64) // stream.chunk)
    waits: Times = plan.columns["requests"] * np.maximum(chunks - 1, 0) * stream.every
    return waits


def asked_peak_per_s(scenario: Scenario, plan: Plan) -> float:
    """The highest rate that any phase asks for."""
    rates = [0.0]
    for index, phase in enumerate(scenario.traffic):
        if phase.hold is not None:
            rates.append(phase.hold.peak_per_s)
        else:
            rate = phase.arrivals.rate if phase.arrivals is not None else None
            rates.append(peak_per_s(rate) if rate else _busiest_second(plan, index))
    return max(rates)


def _busiest_second(plan: Plan, phase: int) -> float:
    """Most connections of a phase that are due within one second of the clock."""
    due = plan.columns["due_ns"][plan.columns["phase"] == phase]
    return float(np.bincount(due // NS_PER_S).max()) if len(due) else 0.0


def ceilings(scenario: Scenario, plan: Plan, opened: Times) -> tuple[Ceiling, ...]:
    """What each hop sustains, against what the plan asks of it.

    Args:
        scenario: what was asked.
        plan: drawn from it.
        opened: `open_ns` of the plan, shape (connections,).
    """
    return tuple(
        _ceiling(scenario, plan, opened, hop, budget)
        for hop, budget in zip(every_hop(scenario), every_budget(scenario), strict=True)
    )


def _ceiling(scenario: Scenario, plan: Plan, opened: Times, hop: Hop, budget: HopBudget) -> Ceiling:
    due = plan.columns["due_ns"]
    blocked = waits_ns(scenario, hop)
    mean_open = float(opened.mean()) if len(opened) else 0.0
    if blocked is None:
        in_use = np.arange(1, len(due) + 1)
        per_s = 0.0
    else:
        in_use = overlap_at(due, opened + blocked)
        per_s = ceiling_per_s(budget.total, mean_open / NS_PER_S, blocked / NS_PER_S)
    beyond = np.flatnonzero(in_use > budget.total)
    runs_out_at = int(due[beyond[0]]) if len(beyond) else None
    needed = int(in_use.max(initial=0))
    asked = asked_peak_per_s(scenario, plan)
    law = law_text(budget, mean_open, blocked, per_s)
    ends = (
        f"so it runs out after {format_ns(runs_out_at)}"
        if runs_out_at is not None
        else "so it holds"
    )
    return Ceiling(
        hop=budget.name,
        tuples=budget.total,
        open_ns=mean_open,
        blocked_ns=blocked,
        per_s=per_s,
        asked_per_s=asked,
        needed=needed,
        runs_out_at_ns=runs_out_at,
        sentence=(
            f"{budget.name}: {law}; asked up to {format_rate(asked)}, which takes "
            f"{format_count(needed)} of {format_count(budget.total)} tuples at once, {ends}"
        ),
    )


def tuples_text(budget: HopBudget) -> str:
    """The tuples of a hop as a product that can be followed."""
    if budget.mode == "pool":
        return f"{format_count(budget.budget)} ports and IDs of questions"
    text = f"{format_count(budget.budget)} ports"
    if budget.sources > 1:
        text += f" x {format_count(budget.sources)} sources"
    if budget.destinations > 1 and budget.per == "tuple":
        text += f" x {format_count(budget.destinations)} destinations"
    if budget.most is not None:
        text += f", {format_count(budget.most)} at most in all,"
    return text


def law_text(budget: HopBudget, mean_open_ns: float, blocked: int | None, per_s: float) -> str:
    """Tuples over the time each is held, as a division that can be followed."""
    if blocked is None:
        return f"{tuples_text(budget)}, each given to one connection and never given back"
    rests = "at rest" if budget.name == Hop.NAT_BACKEND.label else "TIME_WAIT"
    waits = f"{format_ns(blocked)} {rests}" if blocked else f"no {rests}"
    held = f"{waits} + {format_ns(mean_open_ns)} open"
    rate = "no limit" if per_s == inf else format_rate(per_s)
    return f"{tuples_text(budget)} / ({held}) = {rate}"


def remarks(scenario: Scenario) -> tuple[str, ...]:
    """What a reader of the budgets should know beside the numbers."""
    return tuple(_remarks(scenario))


def range_remarks(scenario: Scenario, hop: Hop) -> list[str]:
    """What keeps ports of a hop's range from being handed out, beside those in use."""
    [budget] = [one for one in hop_budgets(scenario) if one.name == hop.label]
    found = []
    if budget.reserved:
        found.append(
            f"{format_count(budget.reserved)} of the ports {budget.range_text} are reserved "
            "(kernel.reserved_ports)"
        )
    odd = (budget.budget + budget.reserved + budget.listening) % 2
    if odd and budget.mode in ("kernel", "late-bind", "early-bind"):
        found.append(f"the range {budget.range_text} has an odd number of ports")
    return found


def _remarks(scenario: Scenario) -> list[str]:
    found: list[str] = []
    hops = {budget.name: budget for budget in hop_budgets(scenario)}
    for budget in hops.values():
        if budget.listening:
            found.append(
                f"{budget.name}: {format_count(budget.listening)} of the ports {budget.range_text} "
                "are held by listeners, and the kernel's own choice passes over them"
            )
        odd = (budget.budget + budget.reserved + budget.listening) % 2
        if odd and budget.mode in ("kernel", "late-bind", "early-bind"):
            found.append(
                f"{budget.name}: the range {budget.range_text} has an odd number of ports; the "
                "kernel goes through it in steps of 2 and an attempt may miss the last free one"
            )
        if budget.mode == "early-bind" and scenario.kernel.time_wait < KERNEL_TIME_WAIT_NS:
            found.append(
                f"{budget.name}: bind() to port 0 knows no tcp_tw_reuse, so with early-bind a "
                "closed connection keeps its port for 60s, whatever kernel.time_wait says"
            )
    found += meetings(scenario)
    source = scenario.balancer.source
    toward = hops.get(Hop.BALANCER_BACKEND.label)
    if toward is not None:
        checks = check_remark(
            scenario, blocked_ns(scenario, source), toward.budget * source.addresses
        )
        found += [checks] if checks else []
    if not _has_timestamps(scenario):
        found.append("tcp_timestamps is 0, so no tuple is reused before its 60s of TIME_WAIT")
    for phase in scenario.traffic:
        gap = phase.think.mean_ns or phase.lifetime.mean_ns / max(1, phase.requests.mean)
        idle = scenario.balancer.idle_timeout
        serves = scenario.backends.idle_timeout
        if phase.requests.mean > 1 and serves is not None and gap > serves:
            found.append(
                f"phase {phase.name}: requests are {format_ns(gap)} apart, longer than "
                f"backends.idle_timeout {format_ns(serves)}, so backends cut connections"
            )
        if scenario.balancer.driver != "none" and phase.requests.mean > 1 and gap > idle:
            found.append(
                f"phase {phase.name}: requests are {format_ns(gap)} apart, longer than "
                f"balancer.idle_timeout {format_ns(idle)}, so the balancer cuts connections"
            )
    return found


def meetings(scenario: Scenario) -> list[str]:
    """Where one hop's bound ports are lost to the kernel's choice for the other hop."""
    if scenario.balancer.driver == "none":
        return []
    sides = {"clients": scenario.clients.source, "balancer": scenario.balancer.source}
    if scenario.sidecar is not None:
        sides["sidecar"] = scenario.sidecar.source
    found = []
    for binder, chooser in permutations(sides, 2):
        binding, choosing = sides[binder], sides[chooser]
        if binding.ports in KERNEL_PICKS or choosing.ports not in KERNEL_PICKS:
            continue
        shared = ports_within(source_ports(scenario, choosing), [source_ports(scenario, binding)])
        if shared:
            found.append(
                f"{binder} bind their own ports ({binding.ports}) in the range that the kernel "
                f"hands out to {chooser}: each of {format_count(shared)} ports is lost to "
                f"{chooser} while one of {binder} has it bound, and for 60s of TIME_WAIT after; "
                f"give {binder}.source a range outside kernel.port_range"
            )
    return found


def share(total: int, parts: int) -> int:
    """The largest of so many even parts."""
    return ceil(total / parts)
