"""What would mend a NAT, each with what it would gain by arithmetic, in its vendor's own words.

A remedy is the scenario with one number of its NAT changed; its gain is the wall of the changed
scenario divided by the wall of this one. What a vendor does not offer is not proposed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from simulator.measure.remedies import Remedy, in_order, keep_alive
from simulator.measure.walls import gain, moved, wall_of, with_part
from simulator.ports.nat.presets import MOST_ADDRESSES
from simulator.preflight.nat_knobs import INSTEAD
from simulator.records import Hop
from simulator.scenario.nat import nat_hosts
from simulator.units import NS_PER_S, format_count, format_ns

if TYPE_CHECKING:
    from collections.abc import Iterator

    from simulator.measure.evidence import Evidence
    from simulator.scenario.nat import Nat
    from simulator.scenario.schema import Scenario

Change = tuple[str, "Scenario"]

#: How more addresses are had, by preset.
_ADDRESSES: Final = {
    "aws-nat-gateway": "associate Elastic IPs with the gateway, up to 8",
    "aws-nlb": "enable further zones or use another balancer; there is one address a zone",
    "azure-load-balancer": "further front-end addresses, up to 1,024 ports a host by default",
    "azure-nat-gateway": "further public addresses or a prefix, up to 16",
    "google-cloud-nat": "further NAT addresses",
    "google-cloud-nat-dynamic": "further NAT addresses",
    "ananta": "further virtual addresses",
    "carrier": "further public addresses, so that fewer subscribers share one",
    "linux-masquerade": "SNAT --to-source with a range of addresses instead of one",
    "full-nat": "further local addresses",
}
#: How a host gets more ports of its own.
_PER_HOST: Final = {
    "azure-load-balancer": "an outbound rule with allocatedOutboundPorts",
    "google-cloud-nat": "--min-ports-per-vm",
}
_MOST_PER_HOST: Final = {
    "google-cloud-nat-dynamic": "--max-ports-per-vm",
    "carrier": "the subscriber's port limit",
    "ananta": "the limit of the tenant",
}
#: What another product of the same vendor is called.
_CALLED: Final = {
    "azure-nat-gateway": "a NAT gateway instead of the balancer's SNAT",
    "google-cloud-nat-dynamic": "dynamic port allocation",
}
_LARGEST: Final = 65_536


def nat_remedies(evidence: Evidence, nat: Nat, *, by_rest: bool, is_table: bool) -> list[str]:
    """At most three remedies, most gain first.

    Args:
        evidence: of the run.
        nat: its NAT.
        by_rest: whether ports at rest rather than open connections took the places, so that the
            wall is a rate; else it is a number of connections at once.
        is_table: whether the table rather than the ports ran out.
    """
    scenario = evidence.scenario
    before = wall_of(scenario, Hop.NAT_BACKEND, evidence.hold_s)
    changes = _of_the_table(scenario, nat) if is_table else _of_the_ports(scenario, nat)
    found = keep_alive(evidence) if by_rest else []
    for text, changed in [*changes, *(_sooner(scenario, nat) if by_rest else ())]:
        after = wall_of(changed, Hop.NAT_BACKEND, evidence.hold_s)
        factor = gain(before, after, by_rate=by_rest)
        found.append(Remedy(factor, f"{text}: {moved(before, after, by_rate=by_rest)}"))
    return in_order(found)


def _with(scenario: Scenario, **changes: object) -> Scenario:
    return with_part(scenario, "nat", **changes)


def _of_the_ports(scenario: Scenario, nat: Nat) -> Iterator[Change]:
    rule = nat.rule
    more = min(2 * nat.addresses, MOST_ADDRESSES.get(nat.preset, 1024))
    if more > nat.addresses:
        how = f"{_ADDRESSES[nat.preset]} (nat.addresses: {more})"
        yield how, _with(scenario, addresses=more)
    if nat.preset in _PER_HOST:
        fair = _fair_share(nat, nat_hosts(scenario))
        how = f"{_PER_HOST[nat.preset]} (nat.per_host: {fair})"
        yield how, _with(scenario, per_host=fair)
    if rule.most_per_host is not None and nat.preset in _MOST_PER_HOST:
        most = min(_LARGEST, 4 * rule.most_per_host)
        how = f"{_MOST_PER_HOST[nat.preset]} (nat.most_per_host: {most})"
        yield how, _with(scenario, most_per_host=most)
    if rule.mapping == "endpoint":
        how = "endpoint-dependent mapping (nat.mapping: destination)"
        yield how, _with(scenario, mapping="destination")
    instead = INSTEAD.get(nat.preset)
    if instead is not None:
        changes = {"preset": instead, "per_host": None, "ports": None}
        yield f"{_CALLED[instead]} (nat.preset: {instead})", _with(scenario, **changes)
    count = scenario.backends.count
    how = f"twice the destinations (backends.count: {2 * count})"
    yield how, with_part(scenario, "backends", count=2 * count)


def _fair_share(nat: Nat, hosts: int) -> int:
    """The most ports that every host can have: Google's are powers of two, Azure's eights."""
    fair = len(nat.rule.ports) // -(-hosts // nat.addresses)
    if nat.preset.startswith("google"):
        return 1 << max(0, fair.bit_length() - 1)
    return max(1, fair // 8 * 8)


def _of_the_table(scenario: Scenario, nat: Nat) -> Iterator[Change]:
    if nat.rule.kind != "masquerade":
        return  # a vendor's own limit; only fewer connections, or another NAT, keep within it
    rows = 4 * (nat.rule.table or 1)
    how = f"a larger table (nf_conntrack_max, nat.table: {format_count(rows)}"
    yield f"{how}; some 300 bytes a row)", _with(scenario, table=rows)


def _sooner(scenario: Scenario, nat: Nat) -> Iterator[Change]:
    rule = nat.rule
    if scenario.balancer.close != "reset" and rule.after_reset_ns < rule.after_fin_ns:
        text = (
            f"end connections by a reset, after which a port rests {format_ns(rule.after_reset_ns)}"
        )
        yield f"{text} (balancer.close: reset)", with_part(scenario, "balancer", close="reset")
    shorter = 30 * NS_PER_S
    if rule.kind == "masquerade" and rule.after_fin_ns > shorter:
        text = "nf_conntrack_tcp_timeout_time_wait=30 (nat.after_fin: 30s)"
        yield text, _with(scenario, after_fin=shorter)
