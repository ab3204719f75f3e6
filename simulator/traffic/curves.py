"""How many connections a phase has asked for by each moment, on average; pure.

The other direction of `shapes.when`: the integral of the rate itself, for those who reckon with
rates and draw no plan.
"""

from __future__ import annotations

from math import pi
from typing import TYPE_CHECKING

import numpy as np

from simulator.traffic.shapes import ends_per_s
from simulator.units import NS_PER_S

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from simulator.scenario.arrivals import Rate
    from simulator.scenario.phases import Hold, Phase
    from simulator.scenario.trace_file import Trace

    Floats = NDArray[np.float64]


def asked_by(phase: Phase, times_ns: Floats, traces: Mapping[str, Trace]) -> Floats:
    """Connections that a phase has asked for by each time.

    Args:
        phase: with arrivals or hold.
        times_ns: since the phase began, shape (n,), each from 0 to its length.
        traces: the trace files that the scenario names.

    Raises:
        ValueError: a closed loop, whose connections wait for each other.
        KeyError: the trace was not read.
    """
    if phase.hold is not None:
        return _held(phase.hold, times_ns)
    if phase.arrivals is None:
        raise ValueError("a closed loop asks for nothing by itself")
    rate = phase.arrivals.rate
    if rate is None:
        due = np.sort(traces[phase.arrivals.trace or ""].due_ns)
        asked: Floats = np.searchsorted(due, times_ns, side="right").astype(np.float64)
        return asked
    return _integral(rate, times_ns, phase.for_ns) / NS_PER_S


def _held(hold: Hold, times_ns: Floats) -> Floats:
    ramp = float(hold.ramp)
    rising = np.minimum(times_ns, ramp)
    steady = np.maximum(times_ns - ramp, 0)
    reached = steady + (rising**2 / (2 * ramp) if ramp else 0.0)
    # Each is due when the one before it was opened: the first at once.
    opened: Floats = np.floor(reached * hold.rate / NS_PER_S + 1e-9) + 1
    return np.minimum(opened, hold.connections)


def _integral(rate: Rate, t: Floats, duration_ns: int) -> Floats:
    """The integral of a rate per second over a time in ns, shape (n,)."""
    found: Floats
    if rate.steps is not None:
        ends = np.cumsum([0] + [step.for_ns for step in rate.steps])
        reached = np.cumsum([0.0] + [step.rate * step.for_ns for step in rate.steps])
        found = np.interp(t, ends, reached)
    elif rate.bursts is not None:
        on, period = rate.bursts.on, rate.bursts.on + rate.bursts.off
        whole = np.floor(t / period)
        found = rate.bursts.rate * (whole * on + np.minimum(t - whole * period, on))
    elif rate.sine is not None:
        swing = rate.sine
        round_ = 2 * pi / swing.period
        found = swing.mean * t + swing.amplitude / round_ * (1 - np.cos(round_ * t))
    else:
        low, high = ends_per_s(rate)
        found = low * t + (high - low) * t**2 / (2 * duration_ns)
    return found
