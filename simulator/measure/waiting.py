"""Connections that were made and then waited in vain: for an answer, or for their next request.

Both look like a network that fails, and are none: an answer that never came because the backends
are slow, or a connection that rested for longer than somebody else keeps it. The records tell them
apart from everything that happens before a connection stands.
"""

from __future__ import annotations

import errno
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from simulator.measure.driver import foreign_connects
from simulator.measure.roles import last_counters
from simulator.preflight.hops import client_hop
from simulator.records import Call, Ending, Hop, Outcome, error_key
from simulator.scenario.driver import FOREIGN

if TYPE_CHECKING:
    from collections.abc import Mapping

    from simulator.engine import Run
    from simulator.measure.attribution import Causes

#: The balancer kept pace when it connected at least this share of its clients.
_KEPT_PACE: Final = 0.9
#: Timers may fire a little early, and a silence is read from two clocks' ticks.
_NEARLY: Final = 0.95
#: The same end, met at once or only as the next request is written.
CUT: Final = (int(Ending.EOF), errno.ECONNRESET, errno.EPIPE)

Mask = np.ndarray[Any, np.dtype[np.bool_]]
Ints = np.ndarray[Any, np.dtype[np.int64]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Unanswered:
    """Connections that stood all the way and got no answer in time.

    Attributes:
        errors: ``hop/call/ERRNO`` -> how many.
        reached: connections established toward backends when these were last heard of.
        accepted: of those, how many the backends had taken from their accept queues by then.
    """

    errors: Mapping[str, int]
    reached: int
    accepted: int

    @property
    def queued(self) -> bool:
        """Whether they waited in accept queues rather than in service."""
        return self.accepted < _KEPT_PACE * self.reached


@dataclass(frozen=True, slots=True, kw_only=True)
class IdleCuts:
    """Kept connections that were cut while they rested, or as they were used again.

    Attributes:
        errors: ``hop/call/ERRNO`` -> how many.
        key: the scenario's name of the idle timeout that cut them.
        limit_ns: its length.
        rest_ns: how long they had rested, in the median.
    """

    errors: Mapping[str, int]
    key: str
    limit_ns: int
    rest_ns: int


def errors_by_key(causes: Causes, chosen: Mask) -> dict[str, int]:
    """``hop/call/ERRNO`` -> how many of the chosen failures, shape (failed,)."""
    kinds, counts = np.unique(
        np.stack([causes.hop[chosen], causes.call[chosen], causes.error[chosen]], axis=1),
        axis=0,
        return_counts=True,
    )
    return {
        error_key(Hop(int(hop)), int(call), int(error)): int(count)
        for (hop, call, error), count in zip(kinds, counts, strict=True)
    }


def reached_and_accepted(run: Run) -> tuple[int, int]:
    """Connections established toward backends, and taken up by them, at the same moment."""
    last = last_counters(run, "backend")
    if not last:
        return 0, 0
    heard_ns = min(int(tick["t_ns"]) for tick in last)
    if run.scenario.balancer.driver in FOREIGN:
        return foreign_connects(run), sum(int(tick.get("accepted", 0)) for tick in last)
    if client_hop(run.scenario) is not Hop.CLIENT_BACKEND:
        made = run.dials["t_ns"][run.dials["error"] == 0]
    else:
        made = run.connections["connected_ns"]
    reached = int(np.count_nonzero((made >= 0) & (made <= heard_ns)))
    return reached, sum(int(tick.get("accepted", 0)) for tick in last)


def unanswered(run: Run, causes: Causes) -> Unanswered | None:
    """Timeouts of established connections; None without any, or when the balancer was behind.

    A client's handshake ends at the balancer. Only when the balancer in turn connected nearly all
    of its clients is the silence that of the backends.
    """
    chosen = (
        (causes.call == Call.RECV)
        & (causes.error == Ending.TIMEOUT)
        & (causes.hop == client_hop(run.scenario))
        & ~causes.joined
    )
    if not chosen.any():
        return None
    if client_hop(run.scenario) is not Hop.CLIENT_BACKEND:
        connected = np.count_nonzero(run.connections["connected_ns"] >= 0)
        dialed = int(np.count_nonzero(run.dials["error"] == 0))
        if run.scenario.balancer.driver in FOREIGN:
            dialed = foreign_connects(run)
        if dialed < _KEPT_PACE * connected:
            return None
    reached, accepted = reached_and_accepted(run)
    return Unanswered(errors=errors_by_key(causes, chosen), reached=reached, accepted=accepted)


def _idle_limits(run: Run) -> dict[str, int]:
    """Idle timeouts that ended connections in this run, ns, by whose they are.

    The counters of the roles must say so, since a silence alone proves nothing.
    """
    scenario = run.scenario
    ended = {
        "sidecar": ("idle_closed", scenario.sidecar.idle_timeout if scenario.sidecar else 0),
        "balancer": ("idle_closed", scenario.balancer.idle_timeout),
        "backends": ("idled", getattr(scenario.backends, "idle_timeout", None)),
    }
    return {
        part: limit
        for part, (counter, limit) in ended.items()
        if limit
        and any(int(tick.get(counter, 0)) for tick in last_counters(run, part.removesuffix("s")))
    }


def idle_cuts(run: Run, causes: Causes) -> IdleCuts | None:
    """Connections cut after an answer and a silence as long as an idle timeout; None without any.

    Where both the balancer's and the backends' ended connections, the shorter one is named.
    """
    limits = _idle_limits(run)
    if not limits:
        return None
    owner = min(limits, key=lambda part: limits[part])
    limit = limits[owner]
    rows = run.connections
    row = causes.row
    rest = rows["closed_ns"][row].astype(np.int64) - rows["answered_ns"][row].astype(np.int64)
    chosen = (
        np.isin(causes.error, CUT)
        & ~causes.joined
        & (rows["answers"][row] > 0)
        & (rows["answers"][row] < run.plan["requests"][row])
        & (rest >= _NEARLY * limit)
    )
    if not chosen.any():
        return None
    return IdleCuts(
        errors=errors_by_key(causes, chosen),
        key=f"{owner}.idle_timeout",
        limit_ns=limit,
        rest_ns=int(np.median(rest[chosen])),
    )


def request_gap_ns(run: Run) -> int:
    """The median planned time between two requests of a connection that has several; 0 = none."""
    plan = run.plan
    many = (plan["requests"] > 1) & (run.connections["outcome"] != Outcome.PLANNED)
    if not many.any():
        return 0
    return int(np.median(plan["lifetime_ns"][many] // plan["requests"][many]))
