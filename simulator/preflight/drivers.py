"""What a foreign balancer needs of this machine: that it is there, and its descriptors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from simulator.kernel.peers import look_for
from simulator.scenario.driver import FOREIGN

if TYPE_CHECKING:
    from simulator.scenario.schema import Scenario

#: Listeners, pipes and timers of its own, generously.
_ITS_OWN: Final = 200


def driver_refusals(scenario: Scenario) -> list[str]:
    """Why its driver cannot run here, with what would mend it; empty when it can."""
    driver = scenario.balancer.driver
    if driver not in FOREIGN:
        return []
    missing = look_for(driver).missing
    return [f"balancer.driver is {driver}, but {missing}"] if missing else []


def relay_processes(scenario: Scenario) -> int:
    """Processes among which the relay's descriptors are divided: HAProxy's workers are threads."""
    return 1 if scenario.balancer.driver == "haproxy" else scenario.balancer.workers


def driver_descriptors(scenario: Scenario) -> tuple[str, int]:
    """What a foreign balancer opens beside connections, and how many; nothing for our own."""
    balancer = scenario.balancer
    if balancer.driver not in FOREIGN:
        return "", 0
    servers = 2 * scenario.backends.count * balancer.source.addresses
    return f"that {balancer.driver} keeps for itself", _ITS_OWN + servers


def driver_words(scenario: Scenario) -> str:
    """The foreign balancer of a scenario in one line, with the version that this machine has."""
    balancer = scenario.balancer
    peer = look_for(balancer.driver)
    has = f"{balancer.driver} {peer.version}".strip() if not peer.missing else peer.missing
    unit = "thread" if balancer.driver == "haproxy" else "worker process"
    several = "" if balancer.workers == 1 else "es" if unit.endswith("s") else "s"
    addresses = balancer.source.addresses
    return (
        f"{has} with {balancer.workers} {unit}{several}, policy {balancer.policy.name}, source "
        f"ports by {balancer.source.ports} from {addresses} address{'es' * (addresses > 1)}, "
        f"closed first by {balancer.close}"
    )
