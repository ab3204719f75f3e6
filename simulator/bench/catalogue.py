"""Every bench by name, loaded only when it is asked for."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any, Final

from simulator.errors import UsageError

if TYPE_CHECKING:
    from simulator.bench.spec import Bench, Given, Values

#: name -> what it answers; the module of the same name in this folder has the rest. `relay` is
#: older than the others and has a frame of its own.
BENCHES: Final[dict[str, str]] = {
    "connect": "Does connect() get slow while a range fills? Userspace ports, kernel's choice.",
    "generator": "New connections a second on one core, and CPU for each: ours, wrk, ab.",
    "hold": "How many connections can be held, at what rate, and what does each cost?",
    "relayed": "How many connections can be held through the balancer, and what ends it?",
    "sampler": "What does a sample of the socket table cost, and how does that grow?",
    "scale": "How does cost grow with connections, backends, source addresses, workers?",
    "spawn": "How long until 1,000 and 16,384 backends listen and are registered?",
    "start": "How long from the command to its first connection, or its help?",
}
RELAY: Final = "relay"
RELAY_QUESTION: Final = "What relaying costs, on five workloads: our relay and its peers."


def _module(name: str) -> Any:  # noqa: ANN401 - a module; its two names are checked by tests
    if name not in BENCHES:
        raise UsageError(f"no bench is called {name}; there are: {', '.join(BENCHES)}")
    return importlib.import_module(f"simulator.bench.{name}")


def load(name: str) -> Bench:
    """The bench of a name.

    Raises:
        UsageError: there is none.
    """
    bench: Bench = _module(name).BENCH
    return bench


def measure(name: str, subject: str, options: Given) -> Values:
    """One round of one subject, in this process, which must be fresh.

    Raises:
        UsageError: there is no such bench.
    """
    values: Values = _module(name).measure(subject, options)
    return values
