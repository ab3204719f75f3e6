"""Listening ports that somebody had taken while their backend was away: a connection, a pool."""

from __future__ import annotations

import errno
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from simulator.measure.waiting import errors_by_key
from simulator.measure.waiting_findings import Finding
from simulator.ports.range import PortRange
from simulator.records import Ending
from simulator.units import NS_PER_S, format_count

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from simulator.engine import Run
    from simulator.measure.attribution import Causes
    from simulator.measure.evidence import Evidence
    from simulator.scenario.schema import Scenario

#: What the record of a port's holder says of a connection, and of a socket that is only bound.
CONNECTION: Final = "destination"
POOL: Final = "bound"
#: Whoever picks is told later; a connect may have begun before.
_SLACK_NS: Final = 50_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Theft:
    """One backend that could not come back.

    Attributes:
        backend: its id.
        endpoint: ``address:port`` that it needs.
        toward: where the connection leads that holds it, or where the pool's socket is bound.
        state: that connection's state, or ``pool``.
        since_ns, until_ns: from when to when it waited.
        is_back: whether it got its port within the run.
    """

    backend: int
    endpoint: str
    toward: str
    state: str
    since_ns: int
    until_ns: int
    is_back: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Stolen:
    """All of them.

    Attributes:
        thefts: in order of time.
        errors: ``hop/call/ERRNO`` -> connections that failed for it.
        elsewhere: connections due meanwhile that were the missing backends' share.
    """

    thefts: Sequence[Theft]
    errors: Mapping[str, int]
    elsewhere: int


def find_thefts(run: Run, thief: str = CONNECTION) -> list[Theft]:
    """Backends that waited for a port which a connection held, or a pool of UDP sockets."""
    waits: dict[int, Mapping[str, Any]] = {}
    found: list[tuple[Mapping[str, Any], int, bool]] = []
    for event in run.events:
        backend = int(event.get("backend", -1))
        if event.get("event") == "backend-waits" and thief in (event.get("holder") or {}):
            waits.setdefault(backend, event)
        elif event.get("event") == "backend-back" and backend in waits:
            found.append((waits.pop(backend), int(event["t_ns"]), True))
    end_ns = run.scenario.duration_ns
    found += [(event, max(end_ns, int(event["t_ns"])), False) for event in waits.values()]
    return [
        Theft(
            backend=int(event["backend"]),
            endpoint=f"{event['address']}:{event['port']}",
            toward=str(event["holder"][thief]),
            state=str(event["holder"].get("state", "pool")),
            since_ns=int(event["t_ns"]),
            until_ns=until_ns,
            is_back=is_back,
        )
        for event, until_ns, is_back in sorted(
            found, key=lambda one: (one[0]["t_ns"], one[0]["backend"])
        )
    ]


def stolen(run: Run, causes: Causes, thief: str = CONNECTION) -> Stolen | None:
    """What such thefts cost; None without any."""
    thefts = find_thefts(run, thief)
    if not thefts:
        return None
    sent = run.connections["sent_ns"][causes.row].astype(np.int64)
    due = run.plan["due_ns"].astype(np.int64)
    chosen = np.zeros(len(sent), dtype=np.bool_)
    elsewhere = 0.0
    for one in thefts:
        meant = (causes.error == errno.ECONNREFUSED) & (causes.backend == one.backend)
        meant |= causes.error == Ending.NO_BACKEND
        late = run.scenario.balancer.learns_after + _SLACK_NS
        chosen |= meant & (sent >= one.since_ns - _SLACK_NS) & (sent <= one.until_ns + late)
        meanwhile = np.count_nonzero((due >= one.since_ns) & (due < one.until_ns))
        elsewhere += float(meanwhile) / run.scenario.backends.count
    return Stolen(thefts=thefts, errors=errors_by_key(causes, chosen), elsewhere=round(elsewhere))


def listening_ports_in_range(scenario: Scenario) -> PortRange | None:
    """Ports of fixed listeners that the kernel may hand out, reserved or not; None without any."""
    ports, listen = scenario.kernel.port_range, scenario.backends.listen_range
    if listen is None or scenario.backends.ports != "fixed":
        return None
    first = max(ports.first, listen.first)
    last = min(ports.last, listen.first + scenario.backends.count - 1)
    return PortRange(first, last) if first <= last else None


def reservation(scenario: Scenario) -> list[str]:
    """Remedies that keep the kernel from lending a listener's port; empty where it cannot."""
    ports = listening_ports_in_range(scenario)
    if ports is None:
        return []
    whole, held = scenario.kernel.port_range, len(ports)
    listed = str(ports) if held > 1 else str(ports.first)
    return [
        (
            f"reserve what is listened on (kernel.reserved_ports: [{ports}], that is "
            f"ip_local_reserved_ports={listed}): an explicit bind still works, and "
            f"{format_count(len(whole))} -> {format_count(len(whole) - held)} ports are lent"
        ),
        (
            f"listen outside the range that is lent (backends.range outside kernel.port_range "
            f"{whole}): {format_count(held)} -> 0 listening ports within it"
        ),
    ]


def listen_port_stolen(evidence: Evidence) -> Finding:
    """The sentence, and the remedies with their arithmetic."""
    seen = evidence.odd.stolen
    assert seen is not None, "the cause was counted from it"
    one, more = seen.thefts[0], len(seen.thefts) - 1
    waited_s = (one.until_ns - one.since_ns) / NS_PER_S
    others = f" (and {more} more backends likewise)" if more else ""
    ending = "" if one.is_back else ", to the end"
    return Finding(
        sentence=(
            f"Backend {one.backend} could not listen on its own port again: while it was away, the "
            f"kernel lent {one.endpoint} to a connection toward {one.toward} ({one.state}); back "
            f"after {one.since_ns / NS_PER_S:.1f} s, it waited {waited_s:.1f} s{ending}{others}, "
            f"and {format_count(seen.elsewhere)} connections were others' to serve"
        ),
        remedies=[
            *reservation(evidence.scenario),
            (
                "keep the port while the service restarts (a socket held by its supervisor): "
                "a listener's port is never lent; SO_REUSEADDR does not help, as the connection "
                "that holds it has none"
            ),
        ],
        evidence={
            "thefts": [
                {
                    "backend": theft.backend,
                    "endpoint": theft.endpoint,
                    "toward": theft.toward,
                    "state": theft.state,
                    "since_s": theft.since_ns / NS_PER_S,
                    "until_s": theft.until_ns / NS_PER_S,
                    "is_back": theft.is_back,
                }
                for theft in seen.thefts
            ],
            "elsewhere": seen.elsewhere,
        },
    )
