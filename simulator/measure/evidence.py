"""Everything a verdict is made of, gathered once: counts by cause, the hops, the queues, the roles.

The causes are the verdict codes of `scenario.thresholds.VERDICTS`. Which cause an error belongs to
is decided here, error by error, and by nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from simulator.measure.churn_cuts import ChurnCuts, churn_cuts
from simulator.measure.dns import dns_table
from simulator.measure.hops import HopFacts, bind_conflict, ran_out
from simulator.measure.latency import mean_hold_s
from simulator.measure.odd_causes import OddCauses, odd_causes
from simulator.measure.phases import peak_asked_per_s
from simulator.measure.roles import kernel_counters, last_counters, sum_by_key
from simulator.measure.waiting import (
    IdleCuts,
    Unanswered,
    idle_cuts,
    request_gap_ns,
    unanswered,
)
from simulator.preflight.hops import source_of
from simulator.records import Call, Hop, error_name

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from simulator.engine import Columns, Run
    from simulator.measure.accounting import Attempts
    from simulator.measure.attribution import Causes
    from simulator.measure.validity import Doubt
    from simulator.scenario.schema import Scenario

_DESCRIPTORS: Final = frozenset({"EMFILE", "ENFILE"})
_PORTS: Final = frozenset({"EADDRNOTAVAIL", "EAGAIN", "NO_PORT"})
#: Errors that have one cause wherever they are met, and those of a NAT.
_BY_NAME: Final = dict.fromkeys(_DESCRIPTORS, "descriptors") | {
    "SELF_CONNECT": "self-connect",
    "FORGED": "forged-answers",
}
_OF_A_NAT: Final = {"NAT_PORTS": "nat-ports", "NAT_POOL": "nat-ports", "NAT_TABLE": "nat-table"}
_SILENCE: Final = frozenset({"ETIMEDOUT", "TIMEOUT"})
_CUT: Final = frozenset({"ECONNRESET", "EPIPE", "EOF"})
_BEFORE_SEND: Final = frozenset({"socket", "bind", "connect", "pick"})
#: The role that accepts on each hop, and the role that connects.
ACCEPTS: Final = {
    Hop.CLIENT_BALANCER.label: "balancer",
    Hop.BALANCER_BACKEND.label: "backend",
    Hop.CLIENT_BACKEND.label: "backend",
    Hop.CLIENT_SIDECAR.label: "sidecar",
    Hop.SIDECAR_BALANCER.label: "balancer",
    Hop.NAT_BACKEND.label: "backend",
}
CONNECTS: Final = {
    Hop.CLIENT_BALANCER.label: "client",
    Hop.BALANCER_BACKEND.label: "balancer",
    Hop.CLIENT_BACKEND.label: "client",
    Hop.CLIENT_SIDECAR.label: "client",
    Hop.SIDECAR_BALANCER.label: "sidecar",
    Hop.NAT_BACKEND.label: "nat",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What is known when the verdict is given.

    Attributes:
        scenario: what was asked.
        attempts: what became of the plan.
        hops: facts of each hop, by label.
        causes: verdict code -> connections it cost (failed or not sent).
        errors: verdict code -> ``hop/call/ERRNO`` -> failed connections.
        dial_errors: ``call/ERRNO`` -> connects of the balancer that failed, retried or not.
        dial_backends: errno name -> backends toward which connects failed so, sorted.
        port_dials: connects of the balancer that found no port.
        sidecar_port_dials: the same of the sidecar.
        dropped: connections that the kernel dropped at a full accept queue.
        out_of_descriptors: role -> accepts that failed for want of a descriptor.
        counters: the kernel's counters over the run.
        endpoints: backend -> ``address:port`` where it was last heard of.
        doubts: reasons to doubt the run.
        asked_per_s: the rate asked for, and at its peak.
        hold_s: how long connections stayed open, in the mean.
        peak_concurrent: the most connections open at once.
        unanswered: connections that stood and got no answer, None without any.
        idle_cuts: connections cut while they rested, None without any.
        churn: failures that moves of backends explain, None without any.
        odd: causes that no errno names.
        request_gap_ns: planned time between two requests of a connection, 0 without any.
        dns: `dns` of the summary, None where there is no resolver.
    """

    scenario: Scenario
    attempts: Attempts
    hops: Mapping[str, HopFacts]
    causes: Mapping[str, int]
    errors: Mapping[str, Mapping[str, int]]
    dial_errors: Mapping[str, int]
    dial_backends: Mapping[str, Sequence[int]]
    port_dials: int
    sidecar_port_dials: int
    dropped: int
    out_of_descriptors: Mapping[str, int]
    counters: Mapping[str, int]
    endpoints: Mapping[int, str]
    doubts: Sequence[Doubt]
    asked_per_s: float
    hold_s: float
    peak_concurrent: int
    unanswered: Unanswered | None
    idle_cuts: IdleCuts | None
    churn: ChurnCuts | None
    odd: OddCauses
    request_gap_ns: int
    dns: Mapping[str, Any] | None = None

    def share(self, code: str) -> float:
        """Share of the connections taken up that a cause made fail."""
        failed = sum(self.errors.get(code, {}).values())
        return failed / self.attempts.sent if self.attempts.sent else 0.0

    def error_names(self, code: str) -> list[str]:
        """Symbols of a cause's errors, the most frequent first."""
        total: dict[str, int] = {}
        for key, count in self.errors.get(code, {}).items():
            name = key.rpartition("/")[2]
            total[name] = total.get(name, 0) + count
        return sorted(total, key=lambda name: (-total[name], name))


def cause_of(
    key: str,
    *,
    overflowed: bool,
    resets_on_overflow: bool,
    starved: frozenset[str],
    permanent: frozenset[str] = frozenset(),
) -> str:
    """The verdict code that one ``hop/call/ERRNO`` speaks for.

    Args:
        key: the error.
        overflowed: whether the kernel dropped connections at a full accept queue.
        resets_on_overflow: whether it was told to reset instead (tcp_abort_on_overflow).
        starved: roles that could not accept for want of a descriptor. They leave their accept
            queue full, so starvation is asked before overflow: it is the cause behind it.
        permanent: roles whose connections each keep a port for good. There EADDRINUSE is no
            accident between two sockets: it says that every port has its owner.
    """
    hop, call, error = key.split("/")
    named = (_OF_A_NAT if hop == Hop.NAT_BACKEND.label else _BY_NAME).get(error)
    if named is not None:
        return named
    if error in _PORTS and call in _BEFORE_SEND:
        return f"{CONNECTS[hop]}-source-ports"
    if error == "EADDRINUSE":
        role = CONNECTS[hop]
        return f"{role}-source-ports" if role in permanent else "bind-conflict"
    if error == "ECONNREFUSED" and ACCEPTS[hop] == "backend":
        return "backend-refused"
    # A balancer that takes nobody up is felt by the client as a sidecar that does not answer.
    felt = {ACCEPTS[hop]} | ({"balancer"} if hop == Hop.CLIENT_SIDECAR.label else set())
    if felt & starved and error in _SILENCE | _CUT:
        return "descriptors"
    if overflowed and (error in _SILENCE or (resets_on_overflow and error in _CUT)):
        return "accept-queue"
    return "failures"


def _dropped(counters: Mapping[str, int]) -> int:
    """Connections dropped at a full accept queue; every overflow also counts as a drop."""
    return max(counters.get("TcpExt.ListenOverflows", 0), counters.get("TcpExt.ListenDrops", 0))


def _starved_roles(run: Run) -> dict[str, int]:
    found = {}
    for role in ("sidecar", "balancer", "backend"):
        errors = sum_by_key(last_counters(run, role), "accept_errors")
        count = sum(value for name, value in errors.items() if name in _DESCRIPTORS)
        if count:
            found[role] = count
    return found


def _dial_errors(run: Run) -> tuple[dict[str, int], dict[str, list[int]]]:
    """Failed connects of the balancer: counts by ``call/ERRNO``, and backends by errno name."""
    bad = run.dials["error"] != 0
    call, error, backend = (run.dials[name][bad] for name in ("call", "error", "backend"))
    counts: dict[str, int] = {}
    backends: dict[str, list[int]] = {}
    if len(error):
        kinds, sizes = np.unique(np.stack([call, error]), axis=1, return_counts=True)
        for (one_call, one_error), size in zip(kinds.T, sizes, strict=True):
            name = error_name(int(one_error))
            counts[f"{Call(int(one_call)).name.lower()}/{name}"] = int(size)
            met = np.unique(backend[error == one_error])
            backends[name] = [int(one) for one in met if one >= 0]
    return counts, backends


def _without_port(dials: Columns) -> int:
    """Connects of a relay that found no port."""
    found = ran_out(dials["call"], dials["error"])
    return int(np.count_nonzero(found & ~bind_conflict(dials["call"], dials["error"])))


def _client_backends(run: Run, causes: Causes) -> dict[str, list[int]]:
    """Backends by errno name, from the causes of failed clients."""
    if run.folded is not None:
        failed = [int(one) for one in run.folded["failed_toward"]]
        return {error_name(run.folded["error"]): failed} if failed else {}
    found: dict[str, list[int]] = {}
    for error in np.unique(causes.error):
        met = np.unique(causes.backend[causes.error == error])
        found[error_name(int(error))] = [int(one) for one in met if one >= 0]
    return found


def _tell_apart(errors: dict[str, dict[str, int]], code: str, known: Mapping[str, int]) -> None:
    """Move, in place, what is known to have another cause from where its errno alone has put it."""
    for key, count in known.items():
        for unnamed in ("failures", "backend-refused"):
            table = errors.get(unnamed, {})
            moved = min(count, table.get(key, 0))
            if not moved:
                continue
            errors.setdefault(code, {})[key] = moved
            table[key] -= moved
            if not table[key]:
                del table[key]
            if not table:
                del errors[unnamed]


def gather(
    run: Run,
    *,
    attempts: Attempts,
    causes: Causes,
    hops: Sequence[HopFacts],
    doubts: Sequence[Doubt],
    endpoints: Mapping[int, str],
    peak_concurrent: int,
) -> Evidence:
    """Collect what the verdict needs from a run and what was measured of it."""
    counters = kernel_counters(run)
    starved = _starved_roles(run)
    rules: dict[str, Any] = {
        "overflowed": _dropped(counters) > 0,
        "resets_on_overflow": bool(
            run.scenario.kernel.sysctls.get("net.ipv4.tcp_abort_on_overflow", 0)
        ),
        "starved": frozenset(starved),
        "permanent": frozenset(
            CONNECTS[facts.hop.label]
            for facts in hops
            if source_of(run.scenario, facts.hop).ports == "permanent"
        ),
    }
    errors: dict[str, dict[str, int]] = {}
    for key, count in attempts.errors.items():
        errors.setdefault(cause_of(key, **rules), {})[key] = count
    slow, cut = unanswered(run, causes), idle_cuts(run, causes)
    _tell_apart(errors, "backend-slow", slow.errors if slow is not None else {})
    _tell_apart(errors, "idle-timeout", cut.errors if cut is not None else {})
    odd = odd_causes(run, causes, hops)
    for code, known in odd.errors().items():
        _tell_apart(errors, code, known)
    moved = churn_cuts(run, causes)
    _tell_apart(errors, "backend-churn", moved.errors if moved is not None else {})
    odd.rename(errors)
    cost = {code: sum(found.values()) for code, found in errors.items()}
    for code, count in odd.weights().items():
        cost[code] = cost.get(code, 0) + count
    for reason in ("generator", "descriptors"):
        if attempts.not_sent.get(reason):
            cost[reason] = cost.get(reason, 0) + attempts.not_sent[reason]
    dial_errors, dial_backends = _dial_errors(run)
    return Evidence(
        scenario=run.scenario,
        attempts=attempts,
        hops={facts.hop.label: facts for facts in hops},
        causes=cost,
        errors=errors,
        dial_errors=dial_errors,
        dial_backends=_client_backends(run, causes) | dial_backends,
        port_dials=_without_port(run.dials),
        sidecar_port_dials=_without_port(run.sidecar_dials),
        dropped=_dropped(counters),
        out_of_descriptors=starved,
        counters=counters,
        endpoints=endpoints,
        doubts=doubts,
        asked_per_s=peak_asked_per_s(run),
        hold_s=mean_hold_s(run),
        peak_concurrent=peak_concurrent,
        unanswered=slow,
        idle_cuts=cut,
        churn=moved,
        odd=odd,
        request_gap_ns=request_gap_ns(run),
        dns=dns_table(run, [one.endpoint for one in odd.pooled.thefts] if odd.pooled else []),
    )
