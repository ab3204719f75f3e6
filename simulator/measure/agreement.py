"""How far the model and the kernel agree on one scenario: the error of each series.

Two runs of one plan are held together, number by number. A count is judged by its share of the
largest of the kernel's count, a hundredth of what was sent, and a hundred, since the error of a
handful is noise; an occupancy by the area between its two curves, as a share of the area below the
kernel's curve of all tuples in use, or of a tenth of the budget where that is more: a state that
hardly any tuple is in matters as little as it holds.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from simulator.measure.phases import measured, spans
from simulator.records import Outcome
from simulator.units import NS_PER_S

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from simulator.engine import Run

    Floats = np.ndarray[Any, np.dtype[np.float64]]

#: Targets: connections that succeed, tuples in use over time, error counts.
OK_TARGET: Final = 0.02
OCCUPANCY_TARGET: Final = 0.05
ERRORS_TARGET: Final = 0.05
#: Where connect() becomes slow, as a share of the budget.
KNEE_TARGET: Final = 0.02
#: Counts below this share of what was sent are judged as if they were as large.
_NOISE: Final = 0.01
_HANDFUL: Final = 100
#: An occupancy below this share of the budget is far from every wall.
_SPARSE: Final = 0.1
#: Policies that look at no load: both engines must pick the same backends, one by one.
LOAD_BLIND: Final = frozenset(
    {"round-robin", "random", "weighted-round-robin", "source-hash", "ring-hash", "maglev"}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """One series, by both engines.

    Attributes:
        name: what it is.
        kernel: the kernel's number; of a series over time, its mean.
        model: the model's.
        error: how far they are apart, as a share; see the file's docstring.
        target: the most it may be; None where nothing is promised.
    """

    name: str
    kernel: float
    model: float
    error: float
    target: float | None

    @property
    def holds(self) -> bool:
        """Whether the error is within its target."""
        return self.target is None or self.error <= self.target

    def as_dict(self) -> dict[str, Any]:
        """As JSON, with the judgement."""
        return {**asdict(self), "holds": self.holds}


def agreements(
    kernel: Run, model: Run, summaries: tuple[Mapping[str, Any], Mapping[str, Any]]
) -> list[Agreement]:
    """Every series of two runs of one plan.

    Args:
        kernel: what the kernel did.
        model: what the model did.
        summaries: of both, in this order.
    """
    theirs, ours = summaries
    return [
        _verdict(theirs, ours),
        *_counts(theirs, ours),
        _ceiling(kernel, model),
        *_occupancies(kernel, model, theirs, ours),
        *_knees(theirs, ours),
        *_picks(kernel, model),
        *_latencies(theirs, ours),
    ]


def _verdict(theirs: Mapping[str, Any], ours: Mapping[str, Any]) -> Agreement:
    code = theirs["verdict"]["code"]
    same = code == ours["verdict"]["code"]
    return Agreement(
        name=f"verdict {code}", kernel=1.0, model=float(same), error=float(not same), target=0.0
    )


def _counted(name: str, theirs: int, ours: int, sent: int, target: float) -> Agreement:
    scale = max(theirs, _NOISE * sent, _HANDFUL if sent else 1.0)
    return Agreement(
        name=name, kernel=theirs, model=ours, error=abs(ours - theirs) / scale, target=target
    )


def _counts(theirs: Mapping[str, Any], ours: Mapping[str, Any]) -> list[Agreement]:
    one, other = theirs["attempts"], ours["attempts"]
    sent = int(one["sent"])
    found = [_counted("ok", one["ok"], other["ok"], sent, OK_TARGET)]
    for key in sorted({*one["errors"], *other["errors"]}):
        pair = (int(one["errors"].get(key, 0)), int(other["errors"].get(key, 0)))
        found.append(_counted(f"errors {key}", *pair, sent, ERRORS_TARGET))
    return found


def _ok_per_s(run: Run) -> float:
    """Connections that were taken up in the measured phases and ended well, a second."""
    rows = run.connections
    good = rows["outcome"] == Outcome.OK
    windows = measured(spans(run))
    count = sum(int(np.count_nonzero(good & one.holds(rows["sent_ns"]))) for one in windows)
    seconds = sum(one.seconds for one in windows)
    return count / seconds if seconds else 0.0


def _ceiling(kernel: Run, model: Run) -> Agreement:
    theirs, ours = _ok_per_s(kernel), _ok_per_s(model)
    error = abs(ours - theirs) / theirs if theirs else float(ours > 0)
    return Agreement(name="ok per second", kernel=theirs, model=ours, error=error, target=OK_TARGET)


def _series(run: Run, hop: str, state: str) -> tuple[Floats, Floats]:
    """Moments in s and tuples of a hop in one state, shapes (samples,)."""
    seen = [
        (sample["t_ns"] / NS_PER_S, sample["hops"][hop][state])
        for sample in run.samples
        if hop in sample.get("hops", {})
    ]
    times, values = np.array(seen, dtype=np.float64).reshape(-1, 2).T
    return times, values


def _occupancies(
    kernel: Run, model: Run, theirs: Mapping[str, Any], ours: Mapping[str, Any]
) -> list[Agreement]:
    found = []
    pairs: Sequence[tuple[Mapping[str, Any], Mapping[str, Any]]] = list(
        zip(theirs["hops"], ours["hops"], strict=True)
    )
    for one, other in pairs:
        hop = str(one["name"])
        for state in ("established", "time_wait", "in_use"):
            if one[f"{state}_peak"] >= _NOISE * one["budget"]:
                least = _SPARSE * float(one["budget"])
                found.append(_area(kernel, model, (hop, state), least))
        if one["exhausted_at_s"] is not None and other["exhausted_at_s"] is not None:
            peaks = (one["in_use_peak"], other["in_use_peak"])
            found.append(_counted(f"{hop} peak", *peaks, 0, OCCUPANCY_TARGET))
    return found


def _area(kernel: Run, model: Run, what: tuple[str, str], least: float) -> Agreement:
    """The area between two curves of a hop and state.

    The last interval before the end of the last phase is left out: what is held ends there in one
    moment, and on which side of it a sample falls is chance.
    """
    hop, state = what
    times, theirs = _series(kernel, hop, state)
    scenario = kernel.scenario
    inside = times <= (scenario.duration_ns - scenario.sampling.every) / NS_PER_S
    times, theirs = times[inside], theirs[inside]
    in_use = _series(kernel, hop, "in_use")[1][inside]
    at, values = _series(model, hop, state)
    ours = np.interp(times, at, values) if len(at) else np.zeros_like(theirs)
    count = max(1, len(times))
    apart = float(np.abs(ours - theirs).sum()) / count
    scale = max(float(in_use.sum()) / count, least, 1.0)
    return Agreement(
        name=f"{hop} {state}",
        kernel=float(theirs.sum()) / count,
        model=float(ours.sum()) / count,
        error=apart / scale,
        target=OCCUPANCY_TARGET,
    )


def _knees(theirs: Mapping[str, Any], ours: Mapping[str, Any]) -> list[Agreement]:
    """Where connect() begins to cost several times as much, in percent of the budget in use.

    The error is how far apart they are, as a share of the budget. The kernel's is exact only while
    nothing is closed: between two samples of its table an occupancy is a guess.
    """
    found = []
    for hop, one in theirs["connect_cost"].items():
        other = ours["connect_cost"].get(hop, {"knee": None})
        knees = [each["knee"] for each in (one, other)]
        if knees == [None, None]:
            continue
        error = 1.0 if None in knees else abs(knees[1] - knees[0])
        shown = [100.0 * (at or 0.0) for at in knees]
        found.append(
            Agreement(
                name=f"{hop} connect-cost knee, % in use",
                kernel=shown[0],
                model=shown[1],
                error=error,
                target=KNEE_TARGET if one["method"] == "order" else None,
            )
        )
    return found


def _picks(kernel: Run, model: Run) -> list[Agreement]:
    """Backends in the order in which they were picked, one by one, for load-blind policies."""
    scenario = kernel.scenario
    balancer = scenario.balancer
    blind = balancer.policy.name in LOAD_BLIND and scenario.backends.count > 1
    if not blind or balancer.driver == "none" or balancer.workers > 1:
        return []
    theirs, ours = (
        run.dials["backend"][np.argsort(run.dials["t_ns"], kind="stable")]
        for run in (kernel, model)
    )
    # One that found no port on a hop before is picked for by neither; how many is told by `ok`.
    shorter = min(len(theirs), len(ours))
    apart = int(np.count_nonzero(theirs[:shorter] != ours[:shorter]))
    error = apart / max(1, shorter)
    # Retries come between others in an order that is the machine's own, and who is left out when
    # goes by the microsecond.
    moves = (
        scenario.backends.churn is not None
        or scenario.clients.retry is not None
        or balancer.ejection is not None
        or balancer.health_checks is not None
    )
    target = None if moves else 0.0
    return [
        Agreement(
            name="picks one by one",
            kernel=len(theirs),
            model=shorter - apart,
            error=error,
            target=target,
        )
    ]


def _latencies(theirs: Mapping[str, Any], ours: Mapping[str, Any]) -> list[Agreement]:
    """Median response, in ms; nothing is promised, since the model's machine costs nothing."""
    one, other = (each["latency_ns"]["response"].get("p50") for each in (theirs, ours))
    if one is None or other is None:
        return []
    error = abs(other - one) / one if one else float(other > 0)
    theirs_ms, ours_ms = one / 1e6, other / 1e6
    name = "median response, ms"
    return [Agreement(name=name, kernel=theirs_ms, model=ours_ms, error=error, target=None)]
