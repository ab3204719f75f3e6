"""The verdict: one sentence that says what ran out, where, since when, what it cost.

The cause that cost the most connections gives the code. The sentence is for someone who is woken
up by it: subject first, numbers after, and no word that needs this project's source.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

from simulator.kernel.sysctls import KERNEL_TIME_WAIT_NS
from simulator.measure.dns_verdicts import dns_ok, forged_answers, port_stolen_by_pool
from simulator.measure.evidence import CONNECTS
from simulator.measure.flapping import backend_flapping
from simulator.measure.half_closed_leaks import half_closed_finding, lost_half_closed
from simulator.measure.limit_verdicts import accept_queue, descriptors, failures, generator
from simulator.measure.misdelivery import misdelivery
from simulator.measure.nat_verdict import nat_verdict
from simulator.measure.remedies import (
    half_closed_remedies,
    port_remedies,
    refused_remedies,
)
from simulator.measure.retry_storms import retry_storm_finding
from simulator.measure.self_connects import self_connect
from simulator.measure.stolen_ports import listen_port_stolen
from simulator.measure.verdict_parts import SUBJECT, Verdict, cost_text, percent, seconds, top_hop
from simulator.measure.waiting_findings import Finding, backend_churn, backend_slow, idle_timeout
from simulator.measure.walls import Wall, rate_text, wall_of
from simulator.preflight.hops import range_remarks, source_of
from simulator.records import Hop
from simulator.scenario.thresholds import VERDICTS
from simulator.units import NS_PER_S, format_count, format_ns

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from simulator.measure.evidence import Evidence
    from simulator.measure.hops import HopFacts

#: Share of the plan dropped at accept queues that is a finding though every connection survived.
_DROPS: Final = 0.01
#: A range seen this full, by a reading that is never of one moment, was full.
_NEARLY: Final = 0.9
#: The hop that a relay dials on.
_HOP_OF: Final = {
    "balancer": Hop.BALANCER_BACKEND.label,
    "sidecar": Hop.SIDECAR_BALANCER.label,
}


def choose_code(evidence: Evidence) -> str:
    """The verdict code: the cause that cost most, then walls that retries hid, then lateness."""
    causes = evidence.odd.rivals(evidence.causes, evidence.churn)
    if causes:
        most = max(causes.values())
        return next(code for code in VERDICTS if causes.get(code) == most)
    if evidence.port_dials:
        leak = evidence.odd.leak
        hides = leak is not None and leak.hop is Hop.BALANCER_BACKEND
        return "half-closed-leak" if hides else "balancer-source-ports"
    if evidence.sidecar_port_dials:
        return "sidecar-source-ports"
    behind = evidence.hops.get(Hop.NAT_BACKEND.label)
    if behind is not None and behind.exhausted_at_ns is not None:
        return "nat-ports"
    if any(doubt.code == "generator-late" and doubt.invalid for doubt in evidence.doubts):
        return "generator"
    if evidence.dropped > _DROPS * max(1, evidence.attempts.planned):
        return "accept-queue"
    return "ok"


def decide(evidence: Evidence) -> Verdict:
    """Give the verdict of a run."""
    code = choose_code(evidence)
    say: dict[str, Callable[[Evidence], Verdict]] = {
        "balancer-source-ports": lambda e: _ports(e, "balancer-source-ports"),
        "sidecar-source-ports": lambda e: _ports(e, "sidecar-source-ports"),
        "client-source-ports": lambda e: _ports(e, "client-source-ports"),
        "nat-ports": lambda e: nat_verdict(e, "nat-ports"),
        "nat-table": lambda e: nat_verdict(e, "nat-table"),
        "bind-conflict": _bind_conflict,
        "backend-refused": _refused,
        "accept-queue": accept_queue,
        "descriptors": descriptors,
        "generator": generator,
        "backend-slow": lambda e: _found(e, "backend-slow", backend_slow(e)),
        "idle-timeout": lambda e: _found(e, "idle-timeout", idle_timeout(e)),
        "backend-churn": lambda e: _found(e, "backend-churn", backend_churn(e)),
        "backend-flapping": lambda e: _found(e, "backend-flapping", backend_flapping(e)),
        "listen-port-stolen": lambda e: _found(e, "listen-port-stolen", listen_port_stolen(e)),
        "self-connect": lambda e: _found(e, "self-connect", self_connect(e)),
        "half-closed-leak": lambda e: _found(e, "half-closed-leak", half_closed_finding(e)),
        "retry-storm": lambda e: _found(e, "retry-storm", retry_storm_finding(e)),
        "misdelivery": lambda e: _found(e, "misdelivery", misdelivery(e)),
        "forged-answers": lambda e: _found(e, "forged-answers", forged_answers(e)),
        "port-stolen-by-pool": lambda e: _found(e, "port-stolen-by-pool", port_stolen_by_pool(e)),
        "failures": failures,
        "ok": _ok,
    }
    return say[code](evidence)


def _found(evidence: Evidence, code: str, finding: Finding) -> Verdict:
    """A finding with what it cost, as every verdict ends."""
    failed = sum(evidence.errors.get(code, {}).values())
    return Verdict(
        code=code,
        hop=top_hop(evidence, code) if failed else list(evidence.hops)[-1],
        sentence=f"{finding.sentence}{f'; {cost_text(evidence, code)}' if failed else ''}.",
        remedies=finding.remedies,
        evidence={"failed": failed, **finding.evidence},
    )


def _inside(worst: Mapping[str, Any]) -> str:
    """The states of a group's tuples, those that are there, TIME_WAIT first."""
    words = {"time_wait": "in TIME_WAIT", "established": "established", "other": "in other states"}
    parts = [
        f"{format_count(int(worst[name]))} {word}"
        for name, word in words.items()
        if worst.get(name)
    ]
    return f" ({', '.join(parts)})" if parts else ""


def _states(facts: HopFacts) -> str:
    """How full the worst group was, and with what."""
    budget, worst = format_count(facts.budget), facts.worst
    if worst is None:
        return f"its budget is {budget} tuples"
    in_use = int(worst["in_use"])
    if in_use >= facts.budget:
        return f"all {budget} tuples were in use{_inside(worst)}"
    # A reading of the table takes a while, so that even a full range is seldom seen full.
    seen = f"seen in use{_inside(worst)}"
    if in_use >= _NEARLY * facts.budget:
        return f"its {budget} tuples were used up, {format_count(in_use)} {seen}"
    return f"{format_count(in_use)} of {budget} tuples were {seen}"


def _wall(evidence: Evidence, facts: HopFacts) -> Wall:
    return wall_of(evidence.scenario, facts.hop, evidence.hold_s)


def _lost_to_time_wait(evidence: Evidence, facts: HopFacts) -> bool:
    """Whether closed connections rather than open ones took most of the tuples."""
    if facts.worst is not None:
        return int(facts.worst["time_wait"]) * 2 > int(facts.worst["in_use"])
    wall = _wall(evidence, facts)
    return wall.blocked_s > wall.open_s


def _where(evidence: Evidence, facts: HopFacts) -> str:
    destination = (facts.worst or {}).get("destination")
    names = ("EADDRNOTAVAIL", "NO_PORT", "EAGAIN")
    backends = {one for name in names for one in evidence.dial_backends.get(name, ())}
    if destination is None:
        return ""
    many = len(backends) > 1 and facts.hop is not Hop.SIDECAR_BALANCER
    more = f" and {len(backends) - 1} other backends" if many else ""
    return f" toward {destination}{more}"


def _ports(evidence: Evidence, code: str) -> Verdict:
    role = code.partition("-")[0]
    hop = _HOP_OF.get(role, next(iter(evidence.hops)))
    port_dials = evidence.sidecar_port_dials if role == "sidecar" else evidence.port_dials
    facts = evidence.hops[hop]
    lost, leaked = _lost_to_time_wait(evidence, facts), lost_half_closed(facts)
    if source_of(evidence.scenario, facts.hop).ports == "permanent":
        reason = "each connection keeps a port of its own for good"
    elif lost:
        reason = "closed connections hold them in TIME_WAIT on the connecting side"
    elif leaked:
        reason = "connections that only one side has closed hold them (FIN_WAIT)"
    else:
        reason = "open connections hold them"
    cost = cost_text(evidence, code)
    if not evidence.causes.get(code):
        saved = "retries saved every connection"
        if evidence.scenario.balancer.on_no_port == "queue":
            saved = "every connection waited until there was one"
        cost = f"{format_count(port_dials)} connects failed, {saved}"
    wall = _wall(evidence, facts)
    remedies = port_remedies(evidence, facts, lost_to_time_wait=lost)
    remarks = range_remarks(evidence.scenario, facts.hop)
    narrows = f"; {' and '.join(remarks)}" if remarks else ""
    return Verdict(
        code=code,
        hop=hop,
        sentence=(
            f"{SUBJECT[role]} ran out of source ports{_where(evidence, facts)}"
            f"{seconds(facts.exhausted_at_ns)}: {_states(facts)}; {reason}{narrows}; {cost}."
        ),
        remedies=[*half_closed_remedies(facts) * leaked, *remedies][:3],
        evidence={
            "cause": "time-wait" if lost else "half-closed" if leaked else "held",
            "time_wait_side": facts.time_wait_side,
            "range_remarks": remarks,
            "failed": evidence.causes.get(code, 0),
            "failed_connects": None if role == "client" else port_dials,
            "budget": facts.budget,
            "worst": facts.worst,
            "ceiling_per_s": wall.rate_per_s,
            "tuples": wall.tuples,
            "open_s": wall.open_s,
            "blocked_s": None if math.isinf(wall.blocked_s) else wall.blocked_s,
        },
    )


def _bind_conflict(evidence: Evidence) -> Verdict:
    hop = top_hop(evidence, "bind-conflict")
    facts = evidence.hops[hop]
    who = SUBJECT[CONNECTS[hop]]
    mode = source_of(evidence.scenario, facts.hop).ports
    lost = _lost_to_time_wait(evidence, facts)
    if mode == "early-bind":
        reason = (
            f"{who} found no port to bind{seconds(facts.exhausted_at_ns)}: {_states(facts)}; "
            f"bound before connect, a port serves one destination only"
        )
    else:
        reason = (
            f"{who} could not bind the wanted source port{seconds(facts.exhausted_at_ns)}: "
            f"another socket holds it"
        )
    return Verdict(
        code="bind-conflict",
        hop=hop,
        sentence=f"{reason}; {cost_text(evidence, 'bind-conflict')}.",
        remedies=port_remedies(evidence, facts, lost_to_time_wait=lost),
        evidence={
            "failed": evidence.causes["bind-conflict"],
            "mode": mode,
            "budget": facts.budget,
            "worst": facts.worst,
        },
    )


def _refused(evidence: Evidence) -> Verdict:
    code, hop = "backend-refused", top_hop(evidence, "backend-refused")
    refusing = list(evidence.dial_backends.get("ECONNREFUSED", ()))
    count = evidence.scenario.backends.count
    names = [evidence.endpoints.get(one, f"backend {one}") for one in refusing[:2]]
    more = f" and {len(refusing) - len(names)} more" if len(refusing) > len(names) else ""
    where = f": nothing listens on {' and '.join(names)}{more}" if names else ""
    subject = f"{len(refusing)} of {count} backends" if refusing and count > 1 else "The backend"
    return Verdict(
        code=code,
        hop=hop,
        sentence=f"{subject} refused connections{where}; {cost_text(evidence, code)}.",
        remedies=refused_remedies(evidence, len(refusing)),
        evidence={"failed": evidence.causes[code], "backends": refusing},
    )


def _reusable(facts: HopFacts, wall: Wall) -> str:
    """What a count of tuples hides: the kernel's table keeps TIME_WAIT for 60 s in any case."""
    waiting = int((facts.worst or {}).get("time_wait", 0))
    if facts.hop is Hop.NAT_BACKEND:  # its ports rest, and no kernel keeps them longer
        return ""
    if not waiting or wall.blocked_s >= KERNEL_TIME_WAIT_NS / NS_PER_S:
        return ""
    after = f"after {format_ns(wall.blocked_s * NS_PER_S)}" if wall.blocked_s else "at once"
    return f" ({format_count(waiting)} in TIME_WAIT, which may be reused {after})"


def _ok(evidence: Evidence) -> Verdict:
    attempts = evidence.attempts
    if evidence.dns is not None:
        return dns_ok(evidence)
    fullest = max(
        evidence.hops.values(), key=lambda facts: facts.in_use_peak / max(1, facts.budget)
    )
    share = fullest.in_use_peak / max(1, fullest.budget)
    wall = _wall(evidence, fullest)
    left = (
        f"; {format_count(attempts.open_at_end)} were still open at the end"
        if attempts.open_at_end
        else ""
    )
    headroom = "occupancy was not sampled"
    if fullest.sampled:
        headroom = (
            f"at peak {format_count(fullest.in_use_peak)} of {format_count(fullest.budget)} "
            f"tuples were in use on {fullest.hop.label}, {percent(share)}"
            f"{_reusable(fullest, wall)}"
        )
    return Verdict(
        code="ok",
        hop=None,
        sentence=(
            f"Nothing ran out: {format_count(attempts.ok)} of {format_count(attempts.sent)} "
            f"connections succeeded{left}; {headroom}."
        ),
        remedies=[
            (
                f"by arithmetic the wall of {fullest.hop.label} stands at "
                f"{rate_text(wall.rate_per_s)}, and at {wall.tuples:,} connections at once"
            ),
        ],
        evidence={
            "hop": fullest.hop.label,
            "in_use_peak": fullest.in_use_peak,
            "budget": fullest.budget,
            "occupancy": share,
            "ceiling_per_s": wall.rate_per_s,
        },
    )
