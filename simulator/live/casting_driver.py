"""From a scenario to what the minder of a foreign balancer is told."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from simulator.engine import TEMPLATE
from simulator.errors import Refused
from simulator.kernel.peers import look_for, passes_ends
from simulator.live.driver_settings import DriverRole
from simulator.preflight.hops import source_ports

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from simulator.scenario.schema import Scenario

_MS: Final = 1_000_000


def template_of(scenario: Scenario, folder: Path) -> str:
    """The user's own configuration as the run's folder keeps it; "" without any."""
    if scenario.balancer.config is None:
        return ""
    return (folder / TEMPLATE).read_text(encoding="utf-8")


def driver_role(
    scenario: Scenario, front: tuple[str, int], sources: Sequence[str], template: str = ""
) -> DriverRole:
    """The settings of a foreign balancer.

    Args:
        scenario: whose.
        front: where clients connect.
        sources: source addresses toward backends; none = a plain connect.
        template: text of the user's own configuration.

    Raises:
        Refused: the program is not installed.
    """
    balancer = scenario.balancer
    peer = look_for(balancer.driver)
    if peer.missing:
        raise Refused(f"balancer.driver: {peer.missing}")
    if balancer.driver == "nginx" and balancer.half_close and not passes_ends(peer.version):
        raise Refused(
            f"balancer.half_close: is true, and nginx {peer.version} ends both sides at the first "
            f"end; write false, or have nginx 1.21.4 or newer"
        )
    checks = balancer.health_checks
    names_ports = balancer.source.ports == "userspace"
    ports = source_ports(scenario, balancer.source)
    return DriverRole(
        driver=balancer.driver,
        binary=peer.binary,
        version=peer.version,
        module=peer.module,
        front=front,
        policy=balancer.policy.name,
        choices=balancer.policy.choices,
        key=balancer.policy.key,
        bound=balancer.policy.bound,
        weights=scenario.backends.weights,
        backends=scenario.backends.count,
        sources=tuple(sources),
        first=ports.first if names_ports else 0,
        last=ports.last if names_ports else 0,
        connect_timeout_ms=balancer.connect_timeout // _MS,
        idle_timeout_ms=balancer.idle_timeout // _MS,
        retries=balancer.retries,
        workers=balancer.workers,
        buffer_bytes=balancer.buffer,
        backlog=balancer.backlog,
        close=balancer.close,
        half_close=balancer.half_close,
        slow_start_ms=balancer.slow_start // _MS,
        check_every_ms=checks.every // _MS if checks else 0,
        check_timeout_ms=checks.timeout // _MS if checks else 0,
        check_fall=checks.fall if checks else 3,
        check_rise=checks.rise if checks else 2,
        moves=scenario.backends.churn is not None,
        template=template,
    )
