"""Tuples of each hop: how many there are, how many were in use at worst, when they ran out.

Budget and peaks are those of the worst tuple group, the sockets that compete for the same ports,
since a run fails where its worst group fails and not where the average does.
"""

from __future__ import annotations

import errno
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from simulator.measure.half_closed import half_closed
from simulator.measure.nat import nat_ran_out_at, nat_told
from simulator.preflight.hops import every_budget, every_hop
from simulator.records import OUT_OF_PORTS, Call, Ending, Hop
from simulator.units import NS_PER_S

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from simulator.engine import Columns, Run
    from simulator.measure.attribution import Causes

_NO_PORT: Final = (*sorted(OUT_OF_PORTS), int(Ending.NO_PORT))
_PORT_CALLS: Final = (int(Call.SOCKET), int(Call.BIND), int(Call.CONNECT), int(Call.PICK))

Mask = np.ndarray[Any, np.dtype[np.bool_]]
Ints = np.ndarray[Any, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class HopFacts:
    """What a run tells of one hop.

    Attributes:
        hop: which.
        sources: source addresses.
        destinations: addresses and ports that are connected to.
        budget: tuples of one group, as the sampler was told or else by the scenario.
        in_use_peak, established_peak, time_wait_peak: of the worst group of any sample.
        distinct_ports: local ports that were ever used.
        exhausted_at_ns: when a connection first found no port, None = never.
        worst: the worst group at exhaustion, or at the peak; see `docs/records.md`.
        sampled: whether any sample was taken.
        time_wait_side: which ends kept more TIME_WAIT, ``connect`` or ``accept``: those that
            closed first. Only connecting ends lose an ephemeral port by it. None = neither had any.
        half_closed_peak: most connections that one side only had closed.
    """

    hop: Hop
    sources: int
    destinations: int
    budget: int
    in_use_peak: int
    established_peak: int
    time_wait_peak: int
    distinct_ports: int
    exhausted_at_ns: int | None
    worst: Mapping[str, Any] | None
    sampled: bool
    time_wait_side: str | None
    half_closed_peak: int

    def as_dict(self) -> dict[str, Any]:
        """The form in a summary."""
        at = self.exhausted_at_ns
        return {
            "name": self.hop.label,
            "sources": self.sources,
            "destinations": self.destinations,
            "budget": self.budget,
            "in_use_peak": self.in_use_peak,
            "established_peak": self.established_peak,
            "time_wait_peak": self.time_wait_peak,
            "time_wait_side": self.time_wait_side,
            "half_closed_peak": self.half_closed_peak,
            "distinct_ports": self.distinct_ports,
            "exhausted_at_s": None if at is None else at / NS_PER_S,
            "worst": None if self.worst is None else dict(self.worst),
        }


def relay_dials(run: Run, hop: Hop) -> Columns | None:
    """The connects of the relay that dials on a hop; None where clients do."""
    made = {Hop.BALANCER_BACKEND: run.dials, Hop.SIDECAR_BALANCER: run.sidecar_dials}
    return made.get(hop)


def ran_out(call: Ints, error: Ints) -> Mask:
    """Which failures, shapes (n,), mean that no port was left: to connect from, or to bind.

    EADDRINUSE from bind() to port 0 is the same wall, met one call earlier.
    """
    found: Mask = (np.isin(error, _NO_PORT) & np.isin(call, _PORT_CALLS)) | bind_conflict(
        call, error
    )
    return found


def bind_conflict(call: Ints, error: Ints) -> Mask:
    """Which failures, shapes (n,), are ports that others hold."""
    found: Mask = (error == errno.EADDRINUSE) & np.isin(call, (Call.BIND, Call.CONNECT))
    return found


def _hop_samples(run: Run, hop: Hop) -> Iterator[tuple[int, Mapping[str, Any]]]:
    for sample in run.samples:
        seen = sample.get("hops", {}).get(hop.label)
        if seen is not None:
            yield int(sample["t_ns"]), seen


def _worst_groups(run: Run, hop: Hop) -> list[tuple[int, Mapping[str, Any]]]:
    return [(t_ns, seen["worst"]) for t_ns, seen in _hop_samples(run, hop) if seen.get("worst")]


def _telling(
    groups: list[tuple[int, Mapping[str, Any]]], exhausted_at_ns: int | None
) -> Mapping[str, Any] | None:
    """The group that explains a run best: the fullest one, near exhaustion when there was one."""
    if not groups:
        return None
    if exhausted_at_ns is not None:
        near = [(t, g) for t, g in groups if t >= exhausted_at_ns - NS_PER_S // 5][:5]
        groups = near or groups
    return max(groups, key=lambda pair: int(pair[1]["in_use"]))[1]


def _first(moments_ns: Ints, chosen: Mask) -> int | None:
    return int(moments_ns[chosen].min()) if chosen.any() else None


def _ports_and_exhaustion(run: Run, hop: Hop, causes: Causes) -> tuple[int, int | None]:
    dials = relay_dials(run, hop)
    if dials is not None:
        used = np.unique(dials["port"][dials["port"] > 0])
        return len(used), _first(dials["t_ns"], ran_out(dials["call"], dials["error"]))
    if run.folded is not None:
        return int(run.folded["distinct_ports"]), run.folded["first_failed_ns"]
    rows = run.connections
    if hop is Hop.NAT_BACKEND:  # its ports are counted where they are given out
        return int(nat_told(run).get("places", 0)), nat_ran_out_at(run, causes)
    used = np.unique(rows["port"][rows["port"] > 0])
    own = (causes.hop == hop) & ran_out(causes.call, causes.error)
    return len(used), _first(rows["sent_ns"][causes.row], own)


def _time_wait_side(samples: Sequence[Mapping[str, Any]]) -> str | None:
    # What may be taken over again is TIME_WAIT all the same, when it is asked whose it is.
    near = max(
        (int(one["time_wait"]) + int(one.get("recyclable", 0)) for one in samples), default=0
    )
    ends = [one.get("accept_side") or {} for one in samples]
    far = max((int(end.get("time_wait", 0)) for end in ends), default=0)
    if not near and not far:
        return None
    return "connect" if near >= far else "accept"


def hop_facts(run: Run, hop: Hop, causes: Causes) -> HopFacts:
    """Read one hop's facts from the records of a run."""
    [told] = [one for one in every_budget(run.scenario) if one.name == hop.label]
    groups = _worst_groups(run, hop)
    samples = list(_hop_samples(run, hop))
    budgets = [int(seen["budget"]) for _, seen in samples]
    distinct, exhausted_at_ns = _ports_and_exhaustion(run, hop, causes)
    sampled_ports = [int(seen.get("distinct_ports", 0)) for _, seen in samples]

    def peak(name: str) -> int:
        return max((int(group[name]) for _, group in groups), default=0)

    return HopFacts(
        hop=hop,
        sources=told.sources,
        destinations=told.destinations,
        budget=budgets[-1] if budgets else told.budget,
        in_use_peak=peak("in_use"),
        established_peak=peak("established"),
        time_wait_peak=peak("time_wait"),
        distinct_ports=max(distinct, *sampled_ports, 0),
        exhausted_at_ns=exhausted_at_ns,
        worst=_telling(groups, exhausted_at_ns),
        sampled=bool(budgets),
        time_wait_side=_time_wait_side([seen for _, seen in samples]),
        half_closed_peak=half_closed(run, hop).peak,
    )


def all_hops(run: Run, causes: Causes) -> list[HopFacts]:
    """The hops of a run, the clients' first."""
    return [hop_facts(run, hop, causes) for hop in every_hop(run.scenario)]
