"""Latency over time and over percentiles, held against numpy's own percentiles."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from simulator.measure.latency_series import latency_series, spectrum
from tests.support.pages import busy
from tests.support.runs import MS, RunBuilder

if TYPE_CHECKING:
    from pathlib import Path


def test_stretches_hold_the_percentiles_of_their_connections(tmp_path: Path) -> None:
    run = busy().run(tmp_path)
    found = latency_series(run)
    assert found is not None
    assert len(found.t_s) == 2  # 280 answers, a hundred at least in each on average
    due, end = run.plan["due_ns"][:280], run.connections["answered_ns"][:280]
    for at, chosen in enumerate((due < 1e9, due >= 1e9)):
        took = end[chosen] - due[chosen]
        p90 = np.quantile(took, 0.9, method="inverted_cdf")
        assert found.values_ns["p90"][at] == pytest.approx(p90)
        assert found.values_ns["max"][at] == took.max()
    assert "p99" not in found.values_ns  # never ten samples beyond


def test_without_an_answer_there_is_none(tmp_path: Path) -> None:
    run = RunBuilder().planned([0, MS]).run(tmp_path)
    assert latency_series(run) is None
    assert spectrum(run) == {}


def test_the_spectrum_rises_and_ends_where_ten_samples_are_left(tmp_path: Path) -> None:
    run = busy().run(tmp_path)
    x, took = spectrum(run)["response"]
    assert x[0] == 1.0
    assert x[-1] == pytest.approx(28.0)  # 280 samples
    assert list(took) == sorted(took)
    values = run.connections["answered_ns"][:280] - run.plan["due_ns"][:280]
    assert took[-1] == pytest.approx(
        np.quantile(values, 1 - 1 / 28, method="inverted_cdf"), rel=2e-3
    )
