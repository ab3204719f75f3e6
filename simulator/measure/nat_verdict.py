"""The verdict on a NAT that had nothing left to give: whose ports, how used, what mends it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from simulator.measure.nat_remedies import nat_remedies
from simulator.measure.verdict_parts import Verdict, cost_text, seconds
from simulator.measure.walls import wall_of
from simulator.preflight.nat import size_of
from simulator.records import Hop
from simulator.scenario.nat import nat_hosts
from simulator.units import format_count, format_ns

if TYPE_CHECKING:
    from collections.abc import Mapping

    from simulator.measure.evidence import Evidence
    from simulator.measure.hops import HopFacts
    from simulator.scenario.nat import Nat

#: The code of a NAT that tracks as many flows as it can.
TABLE_CODE = "nat-table"


def nat_verdict(evidence: Evidence, code: str) -> Verdict:
    """The verdict ``nat-ports`` or ``nat-table``."""
    nat = evidence.scenario.nat
    assert nat is not None, "only a NAT fails so"
    facts = evidence.hops[Hop.NAT_BACKEND.label]
    by_rest = _mostly_at_rest(facts.worst)
    wall = wall_of(evidence.scenario, Hop.NAT_BACKEND, evidence.hold_s)
    what = _table if code == TABLE_CODE else _ports
    cost = cost_text(evidence, code)
    if not evidence.causes.get(code):
        cost = "retries toward other backends saved every connection"
    return Verdict(
        code=code,
        hop=Hop.NAT_BACKEND.label,
        sentence=(
            f"The NAT ({nat.preset}) {what(evidence, nat, facts)}; {_why(nat, by_rest=by_rest)}; "
            f"{cost}, there counted as {nat.rule.counted_as}."
        ),
        remedies=nat_remedies(evidence, nat, by_rest=by_rest, is_table=code == TABLE_CODE),
        evidence={
            "preset": nat.preset,
            "cause": "at-rest" if by_rest else "held",
            "failed": evidence.causes.get(code, 0),
            "budget": facts.budget,
            "worst": facts.worst,
            "ceiling_per_s": wall.rate_per_s,
            "tuples": wall.tuples,
            "open_s": wall.open_s,
            "blocked_s": wall.blocked_s,
        },
    )


def _mostly_at_rest(worst: Mapping[str, Any] | None) -> bool:
    return worst is not None and 2 * int(worst["time_wait"]) > int(worst["in_use"])


def _why(nat: Nat, *, by_rest: bool) -> str:
    if by_rest:
        rule = nat.rule
        rests = f"{format_ns(rule.after_fin_ns)} after a close"
        if rule.after_reset_ns != rule.after_fin_ns:
            rests += f" and {format_ns(rule.after_reset_ns)} after a reset"
        return f"a port rests {rests}"
    return "open connections hold them"


def _used(worst: Mapping[str, Any]) -> str:
    return (
        f"{format_count(int(worst['established']))} open, "
        f"{format_count(int(worst['time_wait']))} at rest"
    )


def _ports(evidence: Evidence, nat: Nat, facts: HopFacts) -> str:
    size, hosts = size_of(evidence.scenario, nat), nat_hosts(evidence.scenario)
    since = seconds(facts.exhausted_at_ns)
    if set(evidence.error_names("nat-ports")) == {"NAT_POOL"}:
        if size.served < hosts:
            return (
                f"has ports for {format_count(size.served)} of its {format_count(hosts)} hosts and "
                f"refused the others{since}"
            )
        return f"had no more ports to lend{since}: all {format_count(size.dealt)} are with hosts"
    worst = facts.worst
    if worst is None:
        return f"had no port left{since}"
    where = f" toward {worst['destination']}" if worst.get("destination") else ""
    taken = f"{format_count(int(worst['in_use']))} of {format_count(facts.budget)}"
    return f"had no port left for {worst['source']}{where}{since}: {taken} in use ({_used(worst)})"


def _table(evidence: Evidence, nat: Nat, facts: HopFacts) -> str:
    del evidence
    rows = format_count(nat.rule.table or 0)
    inside = f" (toward its fullest destination {_used(facts.worst)})" if facts.worst else ""
    return (
        f"tracks no more than {rows} connections, and did{seconds(facts.exhausted_at_ns)}{inside}"
    )
