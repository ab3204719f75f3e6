"""Who forgot to close: tuples held by connections that one side has closed and the other has not.

The side that closed waits in FIN_WAIT2 and cannot end it; the side in CLOSE_WAIT was told, and
keeps its descriptor. The kernel gives neither up. Connections that nobody has accepted yet look the
same, and are another matter: nobody forgot them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from simulator.measure.half_closed import forgetful_side
from simulator.measure.roles import last_counters
from simulator.measure.waiting import reached_and_accepted
from simulator.measure.waiting_findings import Finding
from simulator.records import Hop
from simulator.units import NS_PER_S, format_count, format_ns, format_rate

if TYPE_CHECKING:
    from collections.abc import Sequence

    from simulator.engine import Run
    from simulator.measure.evidence import Evidence
    from simulator.measure.hops import HopFacts

#: With fewer accepted, what waits is the accept queue.
_KEPT_PACE: Final = 0.9
#: tcp_fin_timeout where a scenario does not set it, seconds (net/ipv4/tcp.c).
_FIN_TIMEOUT_S: Final = 60
#: Hop -> who connects on it, who accepts.
_ENDS: Final = {
    Hop.CLIENT_BALANCER: ("clients", "balancer"),
    Hop.BALANCER_BACKEND: ("balancer", "backends"),
    Hop.CLIENT_BACKEND: ("clients", "backends"),
    Hop.CLIENT_SIDECAR: ("clients", "sidecar"),
    Hop.SIDECAR_BALANCER: ("sidecar", "balancer"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class HalfClosedLeak:
    """A hop that ran out of tuples because one of its sides forgets to close.

    Attributes:
        hop: which.
        side: the one that forgets, ``accept`` or ``connect``.
        waiting: most connections that waited for it.
        budget: tuples of one group.
        exhausted_at_ns: when there was none left.
    """

    hop: Hop
    side: str
    waiting: int
    budget: int
    exhausted_at_ns: int

    @property
    def code(self) -> str:
        """The verdict that its failures would have without this cause."""
        role = _ENDS[self.hop][0].removesuffix("s")
        return f"{role}-source-ports"

    @property
    def per_s(self) -> float:
        """How many more there were each second until none was left."""
        return self.waiting / max(self.exhausted_at_ns / NS_PER_S, 0.1)


def lost_half_closed(facts: HopFacts) -> bool:
    """Whether most tuples of a hop were held by connections that one side only had closed."""
    worst = facts.worst or {}
    in_use = int(worst.get("in_use", 0))
    half = min(int(worst.get("other", 0)), facts.half_closed_peak)
    return bool(in_use) and 2 * half > in_use


def half_closed_leak(run: Run, hops: Sequence[HopFacts]) -> HalfClosedLeak | None:
    """The leak that exhausted a hop, the one nearest to the backends; None where there is none."""
    for facts in reversed(hops):
        at_ns = facts.exhausted_at_ns
        if at_ns is None or not lost_half_closed(facts):
            continue
        side = forgetful_side(run, facts.hop)
        if side == "accept" and not _were_accepted(run, facts.hop):
            continue
        return HalfClosedLeak(
            hop=facts.hop,
            side=side,
            waiting=facts.half_closed_peak,
            budget=facts.budget,
            exhausted_at_ns=at_ns,
        )
    return None


def _were_accepted(run: Run, hop: Hop) -> bool:
    """Whether nearly all connections of a hop were taken from the accept queue."""
    if _ENDS[hop][1] == "backends":
        reached, accepted = reached_and_accepted(run)
    else:
        reached = int((run.connections["connected_ns"] >= 0).sum())
        accepted = sum(int(tick.get("accepted", 0)) for tick in last_counters(run, _ENDS[hop][1]))
    return accepted > 0 and accepted >= _KEPT_PACE * reached


def half_closed_finding(evidence: Evidence) -> Finding:
    """The sentence, and the remedies with their arithmetic."""
    leak, scenario = evidence.odd.leak, evidence.scenario
    assert leak is not None, "the cause was counted from it"
    connects, accepts = _ENDS[leak.hop]
    forgets, waits = (accepts, connects) if leak.side == "accept" else (connects, accepts)
    count, rate = format_count(leak.waiting), format_rate(leak.per_s)
    fin_s = scenario.kernel.sysctls.get("net.ipv4.tcp_fin_timeout", _FIN_TIMEOUT_S)
    remedies = [
        (
            f"close where the end of the stream is read (read() returns 0), at the {forgets}: "
            f"{count} -> 0 tuples held, where {rate} were lost for good until all "
            f"{format_count(leak.budget)} were"
        )
    ]
    if leak.hop is Hop.BALANCER_BACKEND and leak.side == "accept":
        idle_s = scenario.balancer.idle_timeout / NS_PER_S
        bound = leak.budget / max(leak.per_s, 1e-9)
        remedies.append(
            f"give up sooner (balancer.idle_timeout {format_ns(scenario.balancer.idle_timeout)} "
            f"and net.ipv4.tcp_fin_timeout {fin_s}s, which times what nobody waits for any more): "
            f"{rate} x ({idle_s:g} + {fin_s}) s = "
            f"{format_count(leak.per_s * (idle_s + fin_s))} tuples, and both together must stay "
            f"below {bound:.2g} s"
        )
    if scenario.balancer.close != "reset":
        remedies.append(
            f"end connections by reset (balancer.close: reset), which leaves no half: {count} -> 0"
        )
    return Finding(
        sentence=(
            f"The {forgets} {'do' if forgets.endswith('s') else 'does'} not close what the {waits} "
            f"{'have' if waits.endswith('s') else 'has'} closed: {count} connections "
            f"waited in CLOSE_WAIT there and in FIN_WAIT at the {waits}, and after "
            f"{leak.exhausted_at_ns / NS_PER_S:.1f} s none of {format_count(leak.budget)} tuples "
            f"was left"
        ),
        remedies=remedies,
        evidence={
            "forgets": forgets,
            "waits": waits,
            "side": leak.side,
            "waiting": leak.waiting,
            "per_s": leak.per_s,
            "budget": leak.budget,
        },
    )
