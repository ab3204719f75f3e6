"""Causes that no errno names, found in the records: each from its own file, ranked against others.

What is refused where a backend had been is as it should be. What is answered there by somebody
else, or by the caller itself, is not; so beside such an answer the refusals of the same departures
are no rival, whatever their number.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from simulator.measure.flapping import Flaps, flaps
from simulator.measure.half_closed_leaks import HalfClosedLeak, half_closed_leak
from simulator.measure.misdelivery import Misdelivered, misdelivered
from simulator.measure.retry_storms import RetryStorm, retry_storm
from simulator.measure.self_connects import SelfConnects, self_connects
from simulator.measure.stolen_ports import POOL, Stolen, stolen

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from simulator.engine import Run
    from simulator.measure.attribution import Causes
    from simulator.measure.churn_cuts import ChurnCuts
    from simulator.measure.hops import HopFacts


@dataclass(frozen=True, slots=True, kw_only=True)
class OddCauses:
    """What was found beside errors that speak for themselves; None where there was nothing.

    Attributes:
        misdelivered: connections that the wrong backend answered.
        flaps: backends that stopped listening for a while.
        stolen: listening ports that connections had taken.
        pooled: listening ports that a resolver's socket pool had taken.
        self_connects: connects that met themselves.
        leak: a hop whose tuples were held because one side forgets to close.
        storm: retries that kept an overload alive.
    """

    misdelivered: Misdelivered | None = None
    flaps: Flaps | None = None
    stolen: Stolen | None = None
    pooled: Stolen | None = None
    self_connects: SelfConnects | None = None
    leak: HalfClosedLeak | None = None
    storm: RetryStorm | None = None

    def errors(self) -> dict[str, Mapping[str, int]]:
        """Verdict code -> ``hop/call/ERRNO`` -> failures that belong to it."""
        found: dict[str, Mapping[str, int]] = {}
        if self.flaps is not None:
            found["backend-flapping"] = self.flaps.errors
        if self.stolen is not None:
            found["listen-port-stolen"] = self.stolen.errors
        return found

    def table(self) -> dict[str, int]:
        """What `backends` of a summary says of them; zeros where there was nothing."""
        flapped = self.flaps
        return {
            "flaps": flapped.downs if flapped is not None else 0,
            "refused_while_down": flapped.refused if flapped is not None else 0,
            "stolen": len(self.stolen.thefts) if self.stolen is not None else 0,
            "self_connects": self.self_connects.count if self.self_connects is not None else 0,
        }

    def rename(self, errors: dict[str, dict[str, int]]) -> None:
        """Give failures, in place, to what is behind them: a leak of ports, a storm of retries."""
        if self.leak is not None and self.leak.code in errors:
            errors["half-closed-leak"] = errors.pop(self.leak.code)
        if self.storm is not None and "backend-slow" in errors:
            errors["retry-storm"] = errors.pop("backend-slow")

    def weights(self) -> dict[str, int]:
        """Verdict code -> connections it spoilt though they did not fail."""
        found: dict[str, int] = {}
        if self.misdelivered is not None:
            found["misdelivery"] = self.misdelivered.count
        if self.stolen is not None:
            found["listen-port-stolen"] = self.stolen.elsewhere
        if self.pooled is not None:
            # A service without its port is a finding also where nobody asked for it meanwhile.
            found["port-stolen-by-pool"] = max(1, self.pooled.elsewhere)
        if self.self_connects is not None:
            found["self-connect"] = self.self_connects.count - self.self_connects.failed
        return {code: count for code, count in found.items() if count}

    def rivals(self, costs: Mapping[str, int], churn: ChurnCuts | None) -> dict[str, int]:
        """Costs by cause as they are compared: without refusals, where answers were wrong."""
        if self.misdelivered is None and self.self_connects is None:
            return dict(costs)
        refused = churn.refused if churn is not None else 0
        left = {**costs, "backend-churn": costs.get("backend-churn", 0) - refused}
        left.pop("backend-refused", None)
        return {code: count for code, count in left.items() if count > 0}


def odd_causes(run: Run, causes: Causes, hops: Sequence[HopFacts]) -> OddCauses:
    """Look for each of them."""
    return OddCauses(
        misdelivered=misdelivered(run),
        flaps=flaps(run, causes),
        stolen=stolen(run, causes),
        pooled=stolen(run, causes, POOL),
        self_connects=self_connects(run, causes),
        leak=half_closed_leak(run, hops),
        storm=retry_storm(run),
    )
