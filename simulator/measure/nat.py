"""What a run tells of its NAT: its numbers, what it gave out, and when it had nothing left."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np

from simulator.ports.nat.flow import Shortage
from simulator.preflight.nat import size_of
from simulator.records import Call
from simulator.scenario.nat import nat_hosts

if TYPE_CHECKING:
    from collections.abc import Mapping

    from simulator.engine import Run
    from simulator.measure.attribution import Causes


def nat_ran_out_at(run: Run, causes: Causes) -> int | None:
    """When a connection first found no place, also one that was retried; ns, None = never."""
    own = causes.row[causes.call == Call.ALLOCATE]
    dials = run.dials["t_ns"][run.dials["call"] == Call.ALLOCATE]
    moments = np.concatenate([run.connections["sent_ns"][own], dials])
    return int(moments.min()) if len(moments) else None


def long_silences(run: Run) -> int:
    """Connections that a real NAT would have forgotten while they were silent, and this one kept.

    A lifetime is cut into as many parts as there are requests, so each part is one silence.
    """
    nat = run.scenario.nat
    if nat is None:
        return 0
    plan, sent = run.plan, run.connections["connected_ns"] >= 0
    gap_ns = plan["lifetime_ns"] // np.maximum(plan["requests"], 1)
    return int(np.count_nonzero(sent & (gap_ns > nat.rule.idle_ns)))


def nat_told(run: Run) -> Mapping[str, Any]:
    """What the engine wrote down of the NAT in the end; empty when it did not come to that."""
    return next((one for one in run.events if one.get("event") == "nat"), {})


def nat_table(run: Run) -> dict[str, Any] | None:
    """``nat`` of a summary; None without one.

    Returns:
        ``preset``, ``kind``, ``hosts``, ``served`` (hosts that have any port), ``ports`` (of each
        part that shares none, toward one destination, or all), ``rule`` with every number, and of
        the run: ``flows`` that found a place, ``places`` ever used, ``asks`` (how often a host had
        to ask for more ports), ``refused`` by shortage.
    """
    nat = run.scenario.nat
    if nat is None:
        return None
    size, told, rule = size_of(run.scenario, nat), nat_told(run), nat.rule
    return {
        "preset": rule.preset,
        "kind": rule.kind,
        "hosts": nat_hosts(run.scenario),
        "served": size.served,
        "ports": size.ports,
        "rule": asdict(rule) | {"ports": str(rule.ports)},
        "flows": int(told.get("flows", 0)),
        "places": int(told.get("places", 0)),
        "asks": int(told.get("asks", 0)),
        "refused": {str(why): int(told.get(str(why), 0)) for why in Shortage},
    }
