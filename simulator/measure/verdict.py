"""The verdict: one sentence that says what ran out, where, since when, what it cost.

The cause that cost the most connections gives the code. The sentence is for someone who is woken
up by it: subject first, numbers after, and no word that needs this project's source.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from simulator.kernel.sysctls import KERNEL_TIME_WAIT_NS
from simulator.measure.evidence import ACCEPTS, CONNECTS, Evidence
from simulator.measure.http_remedies import http_remedy
from simulator.measure.remedies import (
    descriptor_remedies,
    generator_remedies,
    half_closed_remedies,
    port_remedies,
    queue_remedies,
    refused_remedies,
)
from simulator.measure.waiting_findings import Finding, backend_churn, backend_slow, idle_timeout
from simulator.measure.walls import Wall, rate_text, wall_of
from simulator.preflight.hops import range_remarks, source_of
from simulator.records import Hop
from simulator.scenario.thresholds import VERDICTS
from simulator.units import NS_PER_S, format_count, format_ns

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from simulator.measure.hops import HopFacts
    from simulator.measure.validity import Doubt

#: Share of the plan dropped at accept queues that is a finding though every connection survived.
_DROPS: Final = 0.01
#: A range seen this full, by a reading that is never of one moment, was full.
_NEARLY: Final = 0.9
_SUBJECT: Final = {
    "balancer": "The balancer",
    "sidecar": "The sidecar",
    "client": "The clients",
    "backend": "A backend",
}
#: The hop that a relay dials on.
_HOP_OF: Final = {
    "balancer": Hop.BALANCER_BACKEND.label,
    "sidecar": Hop.SIDECAR_BALANCER.label,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What a run says.

    Attributes:
        code: one of `scenario.thresholds.VERDICTS`.
        hop: the hop it speaks of, None for the whole run.
        sentence: the finding.
        remedies: what would mend it, most gain first, each with its arithmetic.
        evidence: the numbers behind the sentence.
    """

    code: str
    hop: str | None
    sentence: str
    remedies: Sequence[str]
    evidence: Mapping[str, Any]

    def as_dict(self) -> dict[str, Any]:
        """The form in a summary."""
        return {
            "code": self.code,
            "hop": self.hop,
            "sentence": self.sentence,
            "remedies": list(self.remedies),
            "evidence": dict(self.evidence),
        }


def choose_code(evidence: Evidence) -> str:
    """The verdict code: the cause that cost most, then walls that retries hid, then lateness."""
    if evidence.causes:
        most = max(evidence.causes.values())
        return next(code for code in VERDICTS if evidence.causes.get(code) == most)
    if evidence.port_dials:
        return "balancer-source-ports"
    if evidence.sidecar_port_dials:
        return "sidecar-source-ports"
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
        "bind-conflict": _bind_conflict,
        "backend-refused": _refused,
        "accept-queue": _accept_queue,
        "descriptors": _descriptors,
        "generator": _generator,
        "backend-slow": lambda e: _found(e, "backend-slow", backend_slow(e)),
        "idle-timeout": lambda e: _found(e, "idle-timeout", idle_timeout(e)),
        "backend-churn": lambda e: _found(e, "backend-churn", backend_churn(e)),
        "failures": _failures,
        "ok": _ok,
    }
    return say[code](evidence)


def _found(evidence: Evidence, code: str, finding: Finding) -> Verdict:
    """A finding with what it cost, as every verdict ends."""
    failed = sum(evidence.errors[code].values())
    return Verdict(
        code=code,
        hop=_top_hop(evidence, code),
        sentence=f"{finding.sentence}; {_cost(evidence, code)}.",
        remedies=finding.remedies,
        evidence={"failed": failed, **finding.evidence},
    )


def _percent(share: float) -> str:
    if 0 < share < 0.001:
        return f"{100 * share:.2g} %"
    return f"{100 * share:.1f} %"


def _seconds(moment_ns: int | None) -> str:
    return "" if moment_ns is None else f" after {moment_ns / NS_PER_S:.1f} s"


def _cost(evidence: Evidence, code: str) -> str:
    names = ", ".join(evidence.error_names(code)[:2])
    return f"{_percent(evidence.share(code))} of connections failed{f' ({names})' if names else ''}"


def _top_hop(evidence: Evidence, code: str) -> str:
    """The hop on which most connections of a cause failed."""
    total: dict[str, int] = {}
    for key, count in evidence.errors.get(code, {}).items():
        hop = key.partition("/")[0]
        total[hop] = total.get(hop, 0) + count
    return max(total, key=lambda hop: total[hop], default=next(iter(evidence.hops)))


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


def _lost_half_closed(facts: HopFacts) -> bool:
    """Whether most tuples were held by connections that one side only had closed."""
    worst = facts.worst or {}
    in_use = int(worst.get("in_use", 0))
    half = min(int(worst.get("other", 0)), facts.half_closed_peak)
    return bool(in_use) and 2 * half > in_use


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
    lost, leaked = _lost_to_time_wait(evidence, facts), _lost_half_closed(facts)
    if source_of(evidence.scenario, facts.hop).ports == "permanent":
        reason = "each connection keeps a port of its own for good"
    elif lost:
        reason = "closed connections hold them in TIME_WAIT on the connecting side"
    elif leaked:
        reason = "connections that only one side has closed hold them (FIN_WAIT)"
    else:
        reason = "open connections hold them"
    cost = _cost(evidence, code)
    if not evidence.causes.get(code):
        saved = "retries saved every connection"
        if evidence.scenario.balancer.on_no_port == "queue":
            saved = "every connection waited until there was one"
        cost = f"{format_count(port_dials)} connects failed, {saved}"
    wall = _wall(evidence, facts)
    remedies = port_remedies(evidence, facts, lost_to_time_wait=lost)
    return Verdict(
        code=code,
        hop=hop,
        sentence=(
            f"{_SUBJECT[role]} ran out of source ports{_where(evidence, facts)}"
            f"{_seconds(facts.exhausted_at_ns)}: {_states(facts)}; {reason}; {cost}."
        ),
        remedies=[*half_closed_remedies(facts) * leaked, *remedies][:3],
        evidence={
            "cause": "time-wait" if lost else "half-closed" if leaked else "held",
            "time_wait_side": facts.time_wait_side,
            "range_remarks": range_remarks(evidence.scenario, facts.hop),
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
    hop = _top_hop(evidence, "bind-conflict")
    facts = evidence.hops[hop]
    who = _SUBJECT[CONNECTS[hop]]
    mode = source_of(evidence.scenario, facts.hop).ports
    lost = _lost_to_time_wait(evidence, facts)
    if mode == "early-bind":
        reason = (
            f"{who} found no port to bind{_seconds(facts.exhausted_at_ns)}: {_states(facts)}; "
            f"bound before connect, a port serves one destination only"
        )
    else:
        reason = (
            f"{who} could not bind the wanted source port{_seconds(facts.exhausted_at_ns)}: "
            f"another socket holds it"
        )
    return Verdict(
        code="bind-conflict",
        hop=hop,
        sentence=f"{reason}; {_cost(evidence, 'bind-conflict')}.",
        remedies=port_remedies(evidence, facts, lost_to_time_wait=lost),
        evidence={
            "failed": evidence.causes["bind-conflict"],
            "mode": mode,
            "budget": facts.budget,
            "worst": facts.worst,
        },
    )


def _refused(evidence: Evidence) -> Verdict:
    code, hop = "backend-refused", _top_hop(evidence, "backend-refused")
    refusing = list(evidence.dial_backends.get("ECONNREFUSED", ()))
    count = evidence.scenario.backends.count
    names = [evidence.endpoints.get(one, f"backend {one}") for one in refusing[:2]]
    more = f" and {len(refusing) - len(names)} more" if len(refusing) > len(names) else ""
    where = f": nothing listens on {' and '.join(names)}{more}" if names else ""
    subject = f"{len(refusing)} of {count} backends" if refusing and count > 1 else "The backend"
    return Verdict(
        code=code,
        hop=hop,
        sentence=f"{subject} refused connections{where}; {_cost(evidence, code)}.",
        remedies=refused_remedies(evidence, len(refusing)),
        evidence={"failed": evidence.causes[code], "backends": refusing},
    )


def _accept_queue(evidence: Evidence) -> Verdict:
    code = "accept-queue"
    hop = _top_hop(evidence, code)
    accepts = ACCEPTS[hop]
    owner = "the backends" if accepts == "backend" else f"the {accepts}"
    lost = evidence.causes.get(code, 0)
    cost = (
        _cost(evidence, code)
        if lost
        else "no connection failed, but each drop costs its client at least one second"
    )
    return Verdict(
        code=code,
        hop=hop,
        sentence=(
            f"The accept queue of {owner} overflowed: the kernel dropped "
            f"{format_count(evidence.dropped)} attempts to connect; {cost}."
        ),
        remedies=queue_remedies(evidence, hop),
        evidence={
            "failed": lost,
            **{
                name: evidence.counters[name]
                for name in ("TcpExt.ListenOverflows", "TcpExt.ListenDrops", "TcpExt.TCPSynRetrans")
                if name in evidence.counters
            },
        },
    )


def _starving_role(evidence: Evidence) -> str:
    if evidence.out_of_descriptors:
        starved = evidence.out_of_descriptors
        return max(starved, key=lambda role: starved[role])
    if evidence.attempts.not_sent.get("descriptors"):
        return "client"
    hop = _top_hop(evidence, "descriptors")
    return CONNECTS[hop]


def _descriptors(evidence: Evidence) -> Verdict:
    code, role = "descriptors", _starving_role(evidence)
    sidecar = evidence.scenario.sidecar
    part = {
        "sidecar": sidecar.descriptors if sidecar is not None else None,
        "balancer": evidence.scenario.balancer.descriptors,
        "backend": evidence.scenario.backends.descriptors,
        "client": evidence.scenario.clients.descriptors,
    }[role]
    limit = f", limit {format_count(part)} for each process" if part else ""
    unsent = evidence.attempts.not_sent.get("descriptors", 0)
    cost = [_cost(evidence, code)] if evidence.errors.get(code) else []
    if unsent:
        share = _percent(unsent / evidence.attempts.planned)
        cost.append(f"{share} of the plan could not be sent")
    subject = "The load generator" if role == "client" else _SUBJECT[role]
    return Verdict(
        code=code,
        hop=None if role == "client" else _top_hop(evidence, code),
        sentence=f"{subject} ran out of file descriptors (EMFILE{limit}): {', '.join(cost)}.",
        remedies=descriptor_remedies(evidence, role),
        evidence={
            "role": role,
            "limit": part,
            "failed": sum(evidence.errors.get(code, {}).values()),
            "not_sent": unsent,
            "accept_errors": dict(evidence.out_of_descriptors),
        },
    )


def _generator(evidence: Evidence) -> Verdict:
    attempts = evidence.attempts
    behind = attempts.not_sent.get("generator", 0)
    late = next((doubt for doubt in evidence.doubts if doubt.code == "generator-late"), None)
    share = attempts.sent / attempts.planned if attempts.planned else 1.0
    what = f"it sent {_percent(share)} of the plan" if behind else "it sent late"
    detail = f" ({late.message})" if late is not None else ""
    return Verdict(
        code="generator",
        hop=None,
        sentence=(
            f"The load generator could not keep up: {what}{detail}; "
            f"this run says nothing about the balancer."
        ),
        remedies=generator_remedies(evidence),
        evidence={"not_sent": behind, "sent_share": share},
    )


def _failures(evidence: Evidence) -> Verdict:
    code = "failures"
    errors = evidence.errors[code]
    key, count = next(iter(errors.items()))
    total = sum(errors.values())
    lost = _doubt(evidence, "role-lost")
    reason = f"; {lost.message}" if lost is not None else ""
    share = _percent(total / evidence.attempts.sent)
    return Verdict(
        code=code,
        hop=_top_hop(evidence, code),
        sentence=(
            f"{share} of connections failed, for no want of ports: most often {key} "
            f"({format_count(count)} of {format_count(total)}){reason}."
        ),
        remedies=_failure_remedies(evidence, key),
        evidence={"failed": total, "errors": dict(errors)},
    )


def _failure_remedies(evidence: Evidence, key: str) -> list[str]:
    _, call, error = key.split("/")
    if error in ("TIMEOUT", "ETIMEDOUT"):
        wait_s = evidence.scenario.clients.timeout / NS_PER_S
        return [
            (
                f"find what is slow: nothing answered within {wait_s:.3g} s (clients.timeout) and "
                f"no accept queue overflowed, so work was accepted and not done"
            )
        ]
    if error == "NO_BACKEND":
        return ["bring back a backend: the balancer had none left to pick"]
    if error in ("ECONNRESET", "EPIPE", "EOF"):
        return [
            (
                f"look at the other side: it cut connections during {call}, and no record of the "
                f"balancer says why"
            )
        ]
    if error.startswith("HTTP_"):
        return [http_remedy(error, evidence.scenario.backends)]
    return [f"look up {error} in {call}(2): it is none of the limits this tool knows"]


def _doubt(evidence: Evidence, code: str) -> Doubt | None:
    return next((doubt for doubt in evidence.doubts if doubt.code == code), None)


def _reusable(facts: HopFacts, wall: Wall) -> str:
    """What a count of tuples hides: the kernel's table keeps TIME_WAIT for 60 s in any case."""
    waiting = int((facts.worst or {}).get("time_wait", 0))
    if not waiting or wall.blocked_s >= KERNEL_TIME_WAIT_NS / NS_PER_S:
        return ""
    after = f"after {format_ns(wall.blocked_s * NS_PER_S)}" if wall.blocked_s else "at once"
    return f" ({format_count(waiting)} in TIME_WAIT, which may be reused {after})"


def _ok(evidence: Evidence) -> Verdict:
    attempts = evidence.attempts
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
            f"tuples were in use on {fullest.hop.label}, {_percent(share)}"
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
