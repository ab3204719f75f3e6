"""Runs on the kernel held against what the closed forms said of them before."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from simulator.preflight.predict import predict
from simulator.scenario.load import load_file
from simulator.units import NS_PER_S
from tests.support.command import SCENARIOS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from simulator.preflight.forecast import Forecast

#: Standard deviations of the number of Poisson arrivals that a seed may be off.
_DEVIATIONS = 4


def forecasts(name: str, *flags: str) -> dict[str, Forecast]:
    """The forecast of each variant of a shipped scenario; flags as `portchurn run` has them."""
    sets = [value for flag, value in pairwise(flags) if flag == "--set"]
    loaded = load_file(SCENARIOS / f"{name}.yaml", overrides=sets)
    named = {one.name: one.scenario for one in loaded.variants} or {"": loaded.scenario}
    return {variant: predict(one, loaded.traces) for variant, one in named.items()}


def assert_as_forecast(
    name: str, runs: Mapping[str, dict[str, Any]], *flags: str, rel: float = 0.03
) -> None:
    """Each run's counts, peaks and walls are as they were forecast."""
    told = forecasts(name, *flags)
    for variant, summary in runs.items():
        forecast, attempts = told[variant or ""], summary["attempts"]
        assert forecast.not_applied == ()
        assert forecast.ok is not None
        assert forecast.failed is not None
        by_seed = _DEVIATIONS * forecast.asked_deviation
        assert attempts["planned"] == pytest.approx(forecast.asked, abs=by_seed + 1)
        assert attempts["ok"] == pytest.approx(forecast.ok, rel=rel)
        slack = 0.05 * forecast.failed + rel * forecast.ok * (forecast.failed > 0) + by_seed
        assert attempts["failed"] == pytest.approx(forecast.failed, abs=slack)
        assert summary["verdict"]["code"] == forecast.verdict
        _assert_hops(summary, forecast, rel)
        _assert_course(summary, forecast)


def _assert_hops(summary: dict[str, Any], forecast: Forecast, rel: float) -> None:
    for seen, told in zip(summary["hops"], forecast.hops, strict=True):
        assert seen["name"] == told.hop
        met = seen["exhausted_at_s"]
        assert (met is None) == (told.wall_at_s is None)
        # Chance moves the wall of a slow ramp by a part of a second, in either direction.
        if met is not None and told.wall_at_s is not None:
            assert met == pytest.approx(told.wall_at_s, rel=0.02, abs=0.5 if met > 1 else 0.02)
            assert seen["in_use_peak"] == pytest.approx(told.in_use_peak, rel=rel, abs=2)


def _assert_course(summary: dict[str, Any], forecast: Forecast) -> None:
    """Tuples by state, as the kernel's table was sampled, are within 5 % over the run.

    The mean distance, as a share of the most that are in use: a sample is a moment, and waves that
    come a few milliseconds late are far off for so long.
    """
    lines = (Path(summary["path"]) / "samples.jsonl").read_text().splitlines()
    hop, course = forecast.hops[-1].hop, forecast.course
    seen = [(one["t_ns"] / NS_PER_S, one["hops"][hop]["worst"]) for one in map(json.loads, lines)]
    seen = [(t_s, group or {}) for t_s, group in seen if t_s <= course.t_s[-1]]
    moments = [t_s for t_s, _ in seen]
    peak = max(course.in_use[hop])
    for name, told in (("in_use", course.in_use), ("established", course.established)):
        found = np.array([float(group.get(name, 0)) for _, group in seen])
        wanted = np.interp(moments, (0.0, *course.t_s), (0.0, *told[hop]))
        by_chance = 2 * np.sqrt(np.maximum(wanted, 1.0))
        apart = np.maximum(np.abs(found - wanted) - by_chance, 0.0)
        assert apart.mean() <= 0.05 * peak + 2, name
