"""Sentences and remedies for connections that stood and were lost: slow, idle, or left behind."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from simulator.units import NS_PER_S, format_count, format_ns, format_rate

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from simulator.measure.evidence import Evidence

#: A timeout that is to hold needs room above what it is meant to outlast.
_ROOM: Final = 2


class Finding(NamedTuple):
    """What was found, before its cost is added: see `verdict.Verdict` for the parts."""

    sentence: str
    remedies: Sequence[str]
    evidence: Mapping[str, Any]


def backend_slow(evidence: Evidence) -> Finding:
    """Connections that stood all the way to a backend and got no answer in time."""
    slow, scenario = evidence.unanswered, evidence.scenario
    assert slow is not None, "the cause was counted from it"
    count = format_count(sum(slow.errors.values()))
    wait = format_ns(scenario.clients.timeout)
    service_ns = scenario.backends.service_time.mean_ns
    where = (
        f"they stood in the backends' accept queues ({format_count(slow.accepted)} of "
        f"{format_count(slow.reached)} connections were accepted)"
        if slow.queued
        else f"the backends had accepted them and did not answer (mean service time "
        f"{format_ns(service_ns)})"
    )
    return Finding(
        sentence=(
            f"The backends were too slow: {count} established connections got no answer within "
            f"{wait}; {where}"
        ),
        remedies=_queue_remedies(evidence) if slow.queued else _service_remedies(evidence),
        evidence={
            "waited_in": "accept-queue" if slow.queued else "service",
            "reached": slow.reached,
            "accepted": slow.accepted,
            "service_time_ns": service_ns,
        },
    )


def _service_remedies(evidence: Evidence) -> list[str]:
    scenario = evidence.scenario
    service_ns, wait_ns = scenario.backends.service_time.mean_ns, scenario.clients.timeout
    at_once = evidence.asked_per_s * service_ns / NS_PER_S
    return [
        (
            f"answer sooner: {format_ns(service_ns)} -> well below {format_ns(wait_ns)} "
            f"(clients.timeout)"
        ),
        (
            f"or wait longer where that is wanted: clients.timeout {format_ns(wait_ns)} -> "
            f"{format_ns(_ROOM * max(service_ns, wait_ns))}"
        ),
        (
            f"count on {format_count(at_once)} requests in service at once (Little: "
            f"{format_rate(evidence.asked_per_s)} x {format_ns(service_ns)})"
        ),
    ]


def _queue_remedies(evidence: Evidence) -> list[str]:
    backends = evidence.scenario.backends
    asked = evidence.asked_per_s
    found = []
    if backends.accept_every:
        each = NS_PER_S / backends.accept_every
        needed = max(backends.count + 1, -int(-asked // each))
        found = [
            (
                f"accept faster: each backend accepts {format_rate(each)} "
                f"(backends.accept_every: {format_ns(backends.accept_every)}), and "
                f"{format_rate(asked / backends.count)} are asked of it"
            ),
            (
                f"more backends (backends.count: {backends.count} -> {needed}): "
                f"{format_rate(each * backends.count)} -> {format_rate(each * needed)} accepted"
            ),
        ]
    return [
        *found,
        (
            f"more backend processes (backends.processes: {backends.processes} -> "
            f"{2 * backends.processes}), where cores are free"
        ),
        f"a shorter queue fails sooner instead of late (backends.backlog: {backends.backlog})",
    ][:3]


def idle_timeout(evidence: Evidence) -> Finding:
    """Kept connections that somebody else had given up."""
    cut = evidence.idle_cuts
    assert cut is not None, "the cause was counted from it"
    count = format_count(sum(cut.errors.values()))
    limit, gap_ns = format_ns(cut.limit_ns), evidence.request_gap_ns
    above = format_ns(_ROOM * max(gap_ns, cut.limit_ns))
    owner = cut.key.partition(".")[0]
    whose = "The backends'" if owner == "backends" else f"The {owner}'s"
    apart = f", and requests are {format_ns(gap_ns)} apart" if gap_ns else ""
    return Finding(
        sentence=(
            f"{whose} idle timeout cut connections that were still wanted: {count} had rested for "
            f"{format_ns(cut.rest_ns)} when {cut.key} is {limit}{apart}"
        ),
        remedies=[
            f"keep connections for longer than they rest ({cut.key}: {limit} -> {above})",
            (
                f"let the client give up first: close after less than {limit} of rest, and connect "
                f"again for the next request"
            ),
        ],
        evidence={
            "key": cut.key,
            "idle_timeout_ns": cut.limit_ns,
            "rest_ns": cut.rest_ns,
            "gap_ns": gap_ns,
        },
    )


def backend_churn(evidence: Evidence) -> Finding:
    """Connections that failed because their backend left."""
    churn, scenario = evidence.churn, evidence.scenario
    assert churn is not None, "the cause was counted from it"
    learns = format_ns(scenario.balancer.learns_after)
    parts = [
        f"{format_count(churn.cut)} connections were cut as a backend left or came back"
        if churn.cut
        else "",
        f"{format_count(churn.refused)} found nobody where a backend had been (who picks is told "
        f"after {learns})"
        if churn.refused
        else "",
    ]
    each = evidence.asked_per_s / scenario.backends.count
    astray = each * scenario.balancer.learns_after / NS_PER_S
    return Finding(
        sentence=(
            f"Backends that moved took connections with them: "
            f"{' and '.join(part for part in parts if part)}, in {format_count(churn.moments)} "
            f"departures and returns"
        ),
        remedies=[
            (
                f"let backends finish what they have before they leave "
                f"(backends.churn.leave: drain): {format_count(churn.cut)} -> 0 connections cut"
            ),
            (
                f"tell who picks sooner (balancer.learns_after, {learns} now): {astray:.3g} "
                f"connects go to an old endpoint for each departure, {astray / 2:.3g} in half of it"
            ),
        ],
        evidence={"cut": churn.cut, "refused": churn.refused, "moments": churn.moments},
    )
