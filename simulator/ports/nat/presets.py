"""The numbers that vendors promise, or that source code has, as rules by name.

Each row has its source. What a vendor leaves open is said in the file of its kind. "No more than"
limits of the number of addresses are in `MOST_ADDRESSES`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

from simulator.ports.nat.endpoint import EndpointMappings
from simulator.ports.nat.full_nat import FullNat
from simulator.ports.nat.lent import Lent
from simulator.ports.nat.masquerade import Masquerade
from simulator.ports.nat.on_demand import OnDemand
from simulator.ports.nat.preallocated import Preallocated
from simulator.ports.nat.rule import NatRule, S
from simulator.ports.range import PortRange
from simulator.ports.selection.free_list import usable_ports

if TYPE_CHECKING:
    from simulator.ports.nat.flow import Nat

PresetName = Literal[
    "aws-nat-gateway",
    "aws-nlb",
    "azure-load-balancer",
    "azure-nat-gateway",
    "google-cloud-nat",
    "google-cloud-nat-dynamic",
    "ananta",
    "carrier",
    "linux-masquerade",
    "full-nat",
]

_RULES: Final = (
    # Amazon VPC guide, NAT gateway basics: 55,000 at once to each destination for each address,
    # or about 900 a second, 55,000 a minute, to one: a port is gone for a minute. Idle: 350 s.
    NatRule(
        preset="aws-nat-gateway",
        kind="on-demand",
        per_destination=55_000,
        after_fin_ns=60 * S,
        after_reset_ns=60 * S,
        idle_ns=350 * S,
        counted_as="ErrorPortAllocation",
    ),
    # AWS, Network Load Balancers, target groups: 55,000 at once or about 55,000 a minute to each
    # target, where the client's address is not kept. Idle: 350 s by default.
    NatRule(
        preset="aws-nlb",
        kind="on-demand",
        per_destination=55_000,
        after_fin_ns=60 * S,
        after_reset_ns=60 * S,
        idle_ns=350 * S,
        counted_as="PortAllocationErrorCount",
    ),
    # Azure, SNAT for outbound connections: 64,000 ports for each address, dealt by the table of
    # `preallocated`; API Management, response timeouts: a closed port is back after 4 minutes.
    NatRule(
        preset="azure-load-balancer",
        kind="preallocated",
        ports=PortRange(1024, 65023),
        after_fin_ns=240 * S,
        after_reset_ns=240 * S,
        idle_ns=240 * S,
        counted_as="SNAT Connection Count, state failed",
    ),
    # Azure, NAT gateway resource and SNAT with NAT gateway: 64,512 ports for each address, 50,000
    # at once to one destination, 2 million in all; 65 s after FIN, 16 s after RST.
    NatRule(
        preset="azure-nat-gateway",
        kind="on-demand",
        per_destination=50_000,
        after_fin_ns=65 * S,
        after_reset_ns=16 * S,
        table=2_000_000,
        idle_ns=240 * S,
        counted_as="SNAT Connection Count, state failed",
    ),
    # Google Cloud NAT, ports and addresses; Compute API, RouterNat: 64 ports for each machine by
    # default of 64,512 for each address, 120 s of TIME_WAIT (also after RST, which is not told).
    NatRule(
        preset="google-cloud-nat",
        kind="preallocated",
        per_host=64,
        after_fin_ns=120 * S,
        after_reset_ns=120 * S,
        idle_ns=1_200 * S,
        counted_as="dropped_sent_packets_count, OUT_OF_RESOURCES",
    ),
    # The same with dynamic allocation: 32 to 65,536 ports, in powers of two.
    NatRule(
        preset="google-cloud-nat-dynamic",
        kind="lent",
        per_host=32,
        most_per_host=65_536,
        block=32,
        growth="double",
        after_fin_ns=120 * S,
        after_reset_ns=120 * S,
        idle_ns=1_200 * S,
        counted_as="dropped_sent_packets_count, OUT_OF_RESOURCES",
    ),
    # Patel et al., SIGCOMM 2013: blocks of 8, idle ones back after a time-out that is not told;
    # how long a closed port rests neither: Azure's 4 minutes.
    NatRule(
        preset="ananta",
        kind="lent",
        after_fin_ns=240 * S,
        after_reset_ns=240 * S,
        idle_ns=240 * S,
        counted_as="refused SNAT request",
    ),
    # RFC 6888: endpoint-independent mapping, a limit for each subscriber, 120 s before a port is
    # used again; RFC 5382: 2 h 4 min idle. Sizes of blocks are each operator's own choice.
    NatRule(
        preset="carrier",
        kind="lent",
        most_per_host=1_024,
        block=256,
        mapping="endpoint",
        after_fin_ns=120 * S,
        after_reset_ns=120 * S,
        idle_ns=7_440 * S,
        counted_as="port limit of the subscriber",
    ),
    # nf_conntrack-sysctl.rst: 120 s TIME_WAIT, 10 s CLOSE, 5 days idle; 262,144 rows is what a
    # machine with enough memory has.
    NatRule(
        preset="linux-masquerade",
        kind="masquerade",
        keep_port=True,
        after_fin_ns=120 * S,
        after_reset_ns=10 * S,
        table=262_144,
        idle_ns=432_000 * S,
        counted_as="drop or insert_failed of conntrack -S",
    ),
    # LVS and DPVS: see `full_nat`. Eight cores are a choice; DPVS begins above port 1024.
    NatRule(
        preset="full-nat",
        kind="full-nat",
        ports=PortRange(1025, 65535),
        after_fin_ns=120 * S,
        after_reset_ns=10 * S,
        cores=8,
        idle_ns=900 * S,
        counted_as="no local port",
    ),
)
PRESETS: Final[dict[str, NatRule]] = {rule.preset: rule for rule in _RULES}
#: The most addresses that a vendor lets one NAT have.
MOST_ADDRESSES: Final = {"aws-nat-gateway": 8, "azure-nat-gateway": 16}


def make_nat(rule: NatRule, hosts: int, seed: int) -> Nat:
    """A NAT of this rule, with nobody connected yet.

    Args:
        rule: its numbers.
        hosts: how many are behind it; flows come from hosts 0 to ``hosts - 1``.
        seed: of its draws.
    """
    made: Nat
    if rule.kind == "preallocated":
        made = Preallocated(rule, hosts, seed)
    elif rule.kind == "lent":
        made = Lent(rule, hosts, seed)
    elif rule.kind == "masquerade":
        made = Masquerade(rule, seed)
    elif rule.kind == "full-nat":
        made = FullNat(rule, seed)
    else:
        made = OnDemand(rule, usable_ports(rule.ports), seed)
    return EndpointMappings(made) if rule.mapping == "endpoint" else made
