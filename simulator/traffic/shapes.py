"""How a rate runs through a phase, and when its integral reaches a count; pure.

Every shape has an integral ``L(t)``, the connections asked for by the time ``t``, and arrivals are
due where ``L`` reaches a count (`arrivals`). ``L`` is inverted exactly for ramps, steps and bursts;
for a sine, ``L(t) = m t + a P / (2 pi) (1 - cos(2 pi t / P))`` has no inverse in closed form, and
is bisected down to less than a nanosecond.
"""

from __future__ import annotations

from math import ceil, cos, log2, pi
from typing import TYPE_CHECKING, Final

import numpy as np

from simulator.traffic.arrivals import expected_count, when_reached
from simulator.units import NS_PER_S, format_ns, format_rate

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from simulator.scenario.arrivals import Bursts, Rate, Sine, Step

    Times = NDArray[np.int64]
    Floats = NDArray[np.float64]

#: Points of one period at which the integral of a sine is tabled before it is bisected.
_TABLE: Final = 1024


def ends_per_s(rate: Rate) -> tuple[float, float]:
    """Rates at the start and the end of a phase whose rate is steady or changes evenly."""
    assert rate.from_per_s is not None, "a ramp has both ends"
    assert rate.to_per_s is not None, "a ramp has both ends"
    return rate.from_per_s, rate.to_per_s


def total(rate: Rate, duration_ns: int) -> float:
    """Connections asked for over a whole phase: the integral of its rate."""
    if rate.steps is not None:
        return sum(step.rate * step.for_ns for step in rate.steps) / NS_PER_S
    if rate.bursts is not None:
        return rate.bursts.rate * _on_ns(rate.bursts, duration_ns) / NS_PER_S
    if rate.sine is not None:
        whole, rest = divmod(duration_ns, rate.sine.period)
        angle = 2 * pi * rest / rate.sine.period
        swing = rate.sine.amplitude * rate.sine.period / (2 * pi) * (1 - cos(angle))
        return (rate.sine.mean * (whole * rate.sine.period + rest) + swing) / NS_PER_S
    return expected_count(*ends_per_s(rate), duration_ns)


def when(rate: Rate, counts: Floats, duration_ns: int) -> Times:
    """When the integral of a rate reaches each count.

    Args:
        rate: how it runs through the phase.
        counts: shape (n,), ascending, each from 0 to `total`.
        duration_ns: length of the phase, ns.

    Returns:
        Times since the phase began, ns, shape (n,), each from 0 to ``duration_ns - 1``.
    """
    if rate.steps is not None:
        times = _when_stepped(rate.steps, counts)
    elif rate.bursts is not None:
        times = _when_bursting(rate.bursts, counts)
    elif rate.sine is not None:
        times = _when_swinging(rate.sine, counts)
    else:
        return when_reached(counts, *ends_per_s(rate), duration_ns)
    clipped: Times = np.clip(times, 0, duration_ns - 1)
    return clipped


def peak_per_s(rate: Rate) -> float:
    """The highest rate that a shape reaches if its phase is long enough."""
    if rate.steps is not None:
        return max(step.rate for step in rate.steps)
    if rate.bursts is not None:
        return rate.bursts.rate
    if rate.sine is not None:
        return rate.sine.mean + rate.sine.amplitude
    return max(ends_per_s(rate))


def words(rate: Rate) -> str:
    """A rate as people say it."""
    if rate.steps is not None:
        return " then ".join(
            f"{format_rate(one.rate)} for {format_ns(one.for_ns)}" for one in rate.steps
        )
    if rate.bursts is not None:
        one = rate.bursts
        return f"{format_rate(one.rate)} for {format_ns(one.on)}, nothing for {format_ns(one.off)}"
    if rate.sine is not None:
        swing = rate.sine
        return (
            f"{format_rate(swing.mean)} and {format_rate(swing.amplitude)} up and down every "
            f"{format_ns(swing.period)}"
        )
    low, high = ends_per_s(rate)
    return format_rate(low) if low == high else f"{format_rate(low)} to {format_rate(high)}"


def sum_words(rate: Rate, duration_ns: int) -> str:
    """The sum behind `total`, so that a reader can follow it."""
    if rate.steps is not None:
        return " + ".join(
            f"{format_rate(one.rate)} x {format_ns(one.for_ns)}" for one in rate.steps
        )
    if rate.bursts is not None:
        return f"{format_rate(rate.bursts.rate)} x {format_ns(_on_ns(rate.bursts, duration_ns))} on"
    if rate.sine is not None:
        return f"{words(rate)}, over {format_ns(duration_ns)}"
    low, high = (format_rate(end) for end in ends_per_s(rate))
    mean = low if low == high else f"({low} + {high}) / 2"
    return f"{mean} x {format_ns(duration_ns)}"


def _on_ns(bursts: Bursts, duration_ns: int) -> int:
    """How much of a phase bursts are on."""
    whole, rest = divmod(duration_ns, bursts.on + bursts.off)
    return whole * bursts.on + min(rest, bursts.on)


def _when_stepped(steps: tuple[Step, ...], counts: Floats) -> Times:
    reached = np.cumsum([0.0] + [step.rate * step.for_ns / NS_PER_S for step in steps])
    begins = np.cumsum([0] + [step.for_ns for step in steps])
    rates = np.array([step.rate for step in steps])
    # A count that is reached just where two steps meet is due at the beginning of the later one.
    at = np.clip(np.searchsorted(reached, counts, side="right") - 1, 0, len(steps) - 1)
    inside = np.floor((counts - reached[at]) / rates[at] * NS_PER_S + 1e-6)
    times: Times = begins[at] + inside.astype(np.int64)
    return times


def _when_bursting(bursts: Bursts, counts: Floats) -> Times:
    """Time runs only while the rate is on; then the pauses are put in between."""
    on = np.floor(counts / bursts.rate * NS_PER_S + 1e-6).astype(np.int64)
    times: Times = on + on // bursts.on * bursts.off
    return times


def _when_swinging(sine: Sine, counts: Floats) -> Times:
    each = sine.mean * sine.period / NS_PER_S  # connections of one whole period
    whole = np.floor(counts / each)
    wanted = counts - whole * each
    low, high = _bracket(sine, wanted)
    for _ in range(ceil(log2(sine.period / _TABLE + 1)) + 2):
        middle = (low + high) / 2
        below = _reached(sine, middle) < wanted
        low = np.where(below, middle, low)
        high = np.where(below, high, middle)
    times: Times = whole.astype(np.int64) * sine.period + np.floor(high + 1e-3).astype(np.int64)
    return times


def _reached(sine: Sine, times_ns: Floats) -> Floats:
    """The integral of a sine by each time within its first period."""
    swing = sine.amplitude * sine.period / (2 * pi) * (1 - np.cos(2 * pi * times_ns / sine.period))
    reached: Floats = (sine.mean * times_ns + swing) / NS_PER_S
    return reached


def _bracket(sine: Sine, wanted: Floats) -> tuple[Floats, Floats]:
    """Times within the first period, a table's step apart, between which each count is reached."""
    times = np.linspace(0, sine.period, _TABLE + 1)
    at = np.clip(np.searchsorted(_reached(sine, times), wanted, side="right"), 1, _TABLE)
    return times[at - 1], times[at]
