"""What the kernel engine cannot do and the model engine can: rules of other machines, and days."""

from __future__ import annotations

from typing import TYPE_CHECKING

from simulator.errors import Refused
from simulator.scenario.fields import MAX_DURATION_NS
from simulator.units import format_ns

if TYPE_CHECKING:
    from simulator.scenario.schema import Scenario


def model_only(scenario: Scenario) -> list[str]:
    """Why the kernel engine cannot run a scenario, each by its key; empty when it can."""
    found = []
    if scenario.nat is not None:
        found.append(f"nat: {scenario.nat.preset} is a rule, and no program of this machine")
    sources = {"clients": scenario.clients.source, "balancer": scenario.balancer.source}
    found += [
        f"{part}.source.system: {source.system} is not what this machine runs"
        for part, source in sources.items()
        if source.system != "linux"
    ]
    if scenario.duration_ns > MAX_DURATION_NS:
        lasts, most = format_ns(scenario.duration_ns), format_ns(MAX_DURATION_NS)
        found.append(f"traffic lasts {lasts}, and {most} at most on the kernel")
    return found


def refuse_model_only(scenario: Scenario) -> None:
    """Raise where the kernel engine would leave something out.

    Raises:
        Refused: every reason, and which engine does it.
    """
    reasons = model_only(scenario)
    if reasons:
        lines = "\n".join(f"  {one}" for one in reasons)
        raise Refused(f"The kernel engine cannot do this; use --engine model:\n{lines}")
