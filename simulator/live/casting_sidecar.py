"""From a scenario to the workers of its sidecar, if it has one: addresses, ports, destination."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from simulator.live.settings import RoleSpec, SidecarRole, SourceSettings
from simulator.preflight.places import SIDECAR_FRONT, SIDECAR_PREFIX

if TYPE_CHECKING:
    from collections.abc import Callable

    from simulator.scenario.schema import Scenario


def sidecar_roles(
    scenario: Scenario,
    balancer: tuple[str, int],
    source_settings: Callable[..., SourceSettings],
    loop: str,
) -> list[RoleSpec]:
    """The sidecar's workers; none without a sidecar.

    Args:
        scenario: what to run.
        balancer: address and port of the balancer's front.
        source_settings: resolves a source for one of several workers.
        loop: ``uvloop`` or ``asyncio``.
    """
    sidecar = scenario.sidecar
    if sidecar is None:
        return []
    return [
        RoleSpec(
            kind="sidecar",
            index=index,
            settings=SidecarRole(
                front=SIDECAR_FRONT,
                upstream=balancer,
                reuse_port=sidecar.workers > 1,
                source=source_settings(
                    scenario, sidecar.source, SIDECAR_PREFIX, "sidecar", index, sidecar.workers
                ),
                connect_timeout_ns=sidecar.connect_timeout,
                idle_timeout_ns=sidecar.idle_timeout,
                backlog=sidecar.backlog,
            ),
            descriptors=sidecar.descriptors,
            loop=loop,
        )
        for index in range(sidecar.workers)
    ]


def sidecar_told(scenario: Scenario) -> dict[str, Any]:
    """What the `started` event says of a sidecar; nothing without one."""
    if scenario.sidecar is None:
        return {}
    return {"sidecar_front": ":".join(map(str, SIDECAR_FRONT))}
