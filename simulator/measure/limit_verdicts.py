"""Verdicts of limits other than ports, and of failures that no limit explains."""

from __future__ import annotations

from typing import TYPE_CHECKING

from simulator.measure.dns_remedies import dns_remedy
from simulator.measure.evidence import ACCEPTS, CONNECTS
from simulator.measure.http_remedies import http_remedy
from simulator.measure.remedies import descriptor_remedies, generator_remedies, queue_remedies
from simulator.measure.verdict_parts import SUBJECT, Verdict, cost_text, percent, top_hop
from simulator.units import NS_PER_S, format_count

if TYPE_CHECKING:
    from simulator.measure.evidence import Evidence
    from simulator.measure.validity import Doubt


def accept_queue(evidence: Evidence) -> Verdict:
    """The kernel dropped connections at a full accept queue."""
    code = "accept-queue"
    hop = top_hop(evidence, code)
    accepts = ACCEPTS[hop]
    owner = "the backends" if accepts == "backend" else f"the {accepts}"
    lost = evidence.causes.get(code, 0)
    cost = (
        cost_text(evidence, code)
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
    hop = top_hop(evidence, "descriptors")
    return CONNECTS[hop]


def descriptors(evidence: Evidence) -> Verdict:
    """A role ran out of file descriptors."""
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
    cost = [cost_text(evidence, code)] if evidence.errors.get(code) else []
    if unsent:
        share = percent(unsent / evidence.attempts.planned)
        cost.append(f"{share} of the plan could not be sent")
    subject = "The load generator" if role == "client" else SUBJECT[role]
    return Verdict(
        code=code,
        hop=None if role == "client" else top_hop(evidence, code),
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


def generator(evidence: Evidence) -> Verdict:
    """The load generator was the limit."""
    attempts = evidence.attempts
    behind = attempts.not_sent.get("generator", 0)
    late = next((doubt for doubt in evidence.doubts if doubt.code == "generator-late"), None)
    share = attempts.sent / attempts.planned if attempts.planned else 1.0
    what = f"it sent {percent(share)} of the plan" if behind else "it sent late"
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


def failures(evidence: Evidence) -> Verdict:
    """Connections failed, and none of the limits that this tool knows explains it."""
    code = "failures"
    errors = evidence.errors[code]
    key, count = next(iter(errors.items()))
    total = sum(errors.values())
    lost = _doubt(evidence, "role-lost")
    reason = f"; {lost.message}" if lost is not None else ""
    share = percent(total / evidence.attempts.sent)
    return Verdict(
        code=code,
        hop=top_hop(evidence, code),
        sentence=(
            f"{share} of connections failed, for no want of ports: most often {key} "
            f"({format_count(count)} of {format_count(total)}){reason}."
        ),
        remedies=_failure_remedies(evidence, key),
        evidence={"failed": total, "errors": dict(errors)},
    )


def _failure_remedies(evidence: Evidence, key: str) -> list[str]:
    _, call, error = key.split("/")
    if evidence.dns is not None:
        return [dns_remedy(error, evidence.scenario)]
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
