"""What HTTP backends cost: the one kind whose own speed a scenario may meet before any port."""

from __future__ import annotations

from math import ceil
from typing import TYPE_CHECKING, Final

from simulator.units import format_rate

if TYPE_CHECKING:
    from simulator.scenario.schema import Scenario
    from simulator.traffic.plan import Plan

#: CPU of a backend process for one connection and for one request on it, in s; measured with
#: aiohttp 3.14 on Linux 6.18, x86-64: 0.51 ms for a connection with one request, 3.0 ms with ten.
CONNECTION_S: Final = 0.23e-3
REQUEST_S: Final = 0.28e-3
#: Share of a core that a backend may use before its own queue shows in what is measured.
BUSY: Final = 0.7


def http_notes(scenario: Scenario, plan: Plan, asked_per_s: float) -> tuple[str, ...]:
    """How busy the processes of HTTP backends will be; nothing for other kinds.

    Args:
        scenario: what is asked.
        plan: its plan, without retries.
        asked_per_s: highest planned rate of connections.
    """
    if scenario.backends.kind != "http" or not plan.connections:
        return ()
    each = plan.requests / plan.connections
    cores = asked_per_s * (CONNECTION_S + each * REQUEST_S)
    processes = scenario.backends.processes
    text = (
        f"HTTP backends: {format_rate(asked_per_s)} connections x "
        f"({1e3 * CONNECTION_S:.2f} ms + {each:.3g} requests x {1e3 * REQUEST_S:.2f} ms) of CPU = "
        f"{cores:.2f} cores, of {processes} process{'es' * (processes > 1)}"
    )
    if cores > BUSY * processes:
        text += f": they will be the limit; set backends.processes: {ceil(cores / BUSY)}"
    return (text,)
