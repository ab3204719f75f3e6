"""The hop behind a NAT: its tuples, how long each is held, and what of a NAT only the model has."""

from __future__ import annotations

from typing import TYPE_CHECKING

from simulator.ports.budget import HopBudget
from simulator.ports.nat.size import NatSize, nat_size
from simulator.records import Hop
from simulator.scenario.nat import dialing_hosts, nat_hosts
from simulator.units import format_count, format_ns

if TYPE_CHECKING:
    from collections.abc import Iterator

    from simulator.scenario.nat import Nat
    from simulator.scenario.schema import Scenario


def size_of(scenario: Scenario, nat: Nat) -> NatSize:
    """What a scenario's NAT has for its hosts."""
    return nat_size(nat.rule, nat_hosts(scenario), dialing_hosts(scenario))


def nat_budget(scenario: Scenario, nat: Nat) -> HopBudget:
    """The tuples of the hop from the NAT to the backends.

    ``sources`` are the parts that share no port: addresses, hosts, or cores' parts of addresses.
    """
    size = size_of(scenario, nat)
    destinations = scenario.backends.count
    whole = size.near * size.ports * (destinations if size.per_destination else 1)
    total = size.tuples(destinations)
    return HopBudget(
        name=Hop.NAT_BACKEND.label,
        mode=nat.preset,
        sources=size.near,
        destinations=destinations,
        range_text=str(nat.rule.ports),
        reserved=0,
        listening=0,
        budget=size.ports,
        per="tuple" if size.per_destination else "address",
        most=total if total < whole else None,
    )


def nat_waits_ns(scenario: Scenario, nat: Nat) -> int:
    """How long a port of the NAT rests after a connection has closed as the scenario closes it."""
    return nat.rule.rest_ns(reset=scenario.balancer.close == "reset")


def nat_lines(scenario: Scenario) -> Iterator[str]:
    """A NAT in explicit numbers, for people."""
    nat = scenario.nat
    if nat is None:
        return
    rule, hosts, size = nat.rule, nat_hosts(scenario), size_of(scenario, nat)
    yield (
        f"{nat.preset} ({rule.kind}): {format_count(hosts)} host{'s' * (hosts > 1)} behind "
        f"{format_count(rule.addresses)} address{'es' * (rule.addresses > 1)}, ports {rule.ports}"
    )
    scope = "toward each destination" if size.per_destination else "toward all destinations"
    yield f"{format_count(size.ports)} ports for each {size.near_word} {scope}"
    if rule.kind == "lent":
        grows = "doubling" if rule.growth == "double" else f"{rule.ahead} more at a time"
        yield (
            f"borrowed in blocks of {format_count(rule.block)}, {grows}; a block that is not used "
            f"goes back after {format_ns(rule.keeps_block_ns)}"
        )
        if rule.grows_after_ns:
            yield f"a block that is asked for is there after {format_ns(rule.grows_after_ns)}"
    if size.most is not None:
        yield f"{format_count(size.most)} flows at once in its table, resting ones included"
    yield (
        f"a port rests {format_ns(rule.after_fin_ns)} after a close, "
        f"{format_ns(rule.after_reset_ns)} after a reset; counted there as {rule.counted_as}"
    )
    if size.served < hosts:
        yield (
            f"only {format_count(size.served)} of {format_count(hosts)} hosts get any port: the "
            "addresses are dealt out"
        )


def too_silent(scenario: Scenario) -> list[str]:
    """Phases whose connections may be silent for longer than the NAT remembers them."""
    nat = scenario.nat
    if nat is None:
        return []
    found = []
    for phase in scenario.traffic:
        # A lifetime is cut into as many parts as there are requests, a hold lasts its phase.
        silent_ns = phase.for_ns if phase.hold is not None else phase.lifetime.mean_ns
        silent_ns = max(silent_ns, phase.think.mean_ns, scenario.backends.service_time.mean_ns)
        if silent_ns > nat.rule.idle_ns:
            found.append(
                f"nat.idle_timeout: phase {phase.name} may be silent for {format_ns(silent_ns)}, "
                f"and the NAT forgets a flow after {format_ns(nat.rule.idle_ns)}; a longer "
                "idle_timeout says that something keeps flows alive"
            )
    return found


def ends_by_table(scenario: Scenario) -> bool:
    """Whether a NAT's table ends before its ports do."""
    nat = scenario.nat
    return (
        nat is not None
        and nat.rule.table is not None
        and nat_budget(scenario, nat).most is not None
    )


def beyond_closed_forms(scenario: Scenario) -> Iterator[tuple[str, str]]:
    """What of a NAT keeps counts from being predicted: key and reason."""
    nat = scenario.nat
    if nat is None:
        return
    rule, size = nat.rule, size_of(scenario, nat)
    if rule.mapping == "endpoint":
        yield "nat.mapping", "connections from one inner port share a place"
    if rule.cores > 1:
        yield "nat.cores", "chance fills one core before the others"
    if rule.kind == "lent" and rule.grows_after_ns:
        yield "nat.grows_after", "connections fail while a host waits for more ports"
    if size.served < dialing_hosts(scenario):
        yield "nat.hosts", "some hosts have no port at all"
    if rule.kind == "masquerade" and not ends_by_table(scenario):
        yield "nat.preset", "the search for a port gives up before the last one is taken"
    if too_silent(scenario):
        yield "nat.idle_timeout", "flows may be silent for longer than the NAT remembers them"
