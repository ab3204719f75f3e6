"""Before anything runs: what a scenario creates, needs and hits, by arithmetic."""

from simulator.preflight.examine import Preflight, RoleNeed, examine
from simulator.preflight.hops import Ceiling, blocked_ns, ceilings, hop_budgets, remarks

__all__ = [
    "Ceiling",
    "Preflight",
    "RoleNeed",
    "blocked_ns",
    "ceilings",
    "examine",
    "hop_budgets",
    "remarks",
]
