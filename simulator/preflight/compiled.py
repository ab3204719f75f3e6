"""What a compiled balancer needs of this machine: the compiler, and memory for it."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING, Final

from simulator.preflight.places import is_routed

if TYPE_CHECKING:
    from simulator.scenario.schema import Scenario

#: Numba and its LLVM as loaded, once for all workers, which are forked (seen: 150 MB).
_COMPILER_BYTES: Final = 200_000_000


def compiled_refusals(scenario: Scenario) -> list[str]:
    """Why its balancer cannot be compiled, with what would mend it; empty when it can."""
    if not scenario.balancer.compiled:
        return []
    found = []
    if find_spec("numba") is None:
        found.append(
            "balancer.compiled is true, but numba is not installed; "
            "type: pip install 'portchurn[jit]', or leave the key out"
        )
    if is_routed(scenario.balancer.source) and scenario.backends.address == "shared":
        found.append(
            "balancer.compiled is true, but with backends.address: shared a connect may meet "
            "itself, and only the relay in Python looks for that; leave one of the two out"
        )
    return found


def compiled_bytes(scenario: Scenario) -> int:
    """Memory that the compiler takes; 0 without it."""
    return _COMPILER_BYTES if scenario.balancer.compiled else 0
