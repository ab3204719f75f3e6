"""How many tuples a NAT has, by arithmetic: whose ports compete, and how many each has.

The law of every budget holds: tuples / (time open + time a port rests) is the rate that can go on.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from simulator.ports.nat.preallocated import dealt

if TYPE_CHECKING:
    from simulator.ports.nat.rule import NatRule


@dataclass(frozen=True, slots=True, kw_only=True)
class NatSize:
    """What a NAT has for its hosts.

    Attributes:
        near: parts that share no port: addresses, hosts or parts of cores.
        near_word: what such a part is called.
        ports: of each part, toward one destination, or toward all with endpoint mapping.
        dealt: ports of all parts together, where that is less than parts times ports.
        per_destination: whether each destination has them anew.
        most: flows at once whatever the destinations; None = no limit.
        served: hosts that have any port.
    """

    near: int
    near_word: str
    ports: int
    dealt: int
    per_destination: bool
    most: int | None
    served: int

    def tuples(self, destinations: int) -> int:
        """Flows at once, spread evenly over parts and so many destinations."""
        total = self.dealt * (destinations if self.per_destination else 1)
        return total if self.most is None else min(total, self.most)


def nat_size(rule: NatRule, hosts: int, dialing: int | None = None) -> NatSize:
    """The size of a NAT for those who use it.

    Args:
        rule: its numbers.
        hosts: how many share it.
        dialing: how many of them connect, the first ones; None is all. Ports that were dealt to
            the others are no use to these.
    """
    dialing = hosts if dialing is None else dialing
    near, word, ports, most, served = rule.addresses, "address", len(rule.ports), rule.table, hosts
    pool = None
    if rule.per_destination is not None:
        ports = min(ports, rule.per_destination)
    if rule.kind == "full-nat":
        near, word, ports = rule.addresses * rule.cores, "core's part", ports // rule.cores
    elif rule.kind == "preallocated":
        served, each = dealt(rule, hosts)
        near, word = max(1, min(served, dialing)), "host"
        ports = each if served else 0
    elif rule.kind == "lent":
        pool = rule.addresses * (ports // rule.block) * rule.block
        limit = pool if rule.most_per_host is None else rule.most_per_host
        near, word, ports = dialing, "host", min(pool, limit // rule.block * rule.block)
        served = min(hosts, pool // rule.block)
    return NatSize(
        near=near,
        near_word=word,
        ports=ports,
        dealt=near * ports if pool is None else min(pool, near * ports),
        per_destination=rule.mapping == "destination",
        most=most,
        served=served,
    )
