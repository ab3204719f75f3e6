"""Latency charts: their lines are those of the measurement, their ticks what people call them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from simulator.measure.summary import summarize
from simulator.report.charts.colours import MODEL_DASH, MODEL_SAYS
from simulator.report.charts.latencies import latency_over_time, percentiles
from simulator.report.charts.scale import ends, ticks, x_values
from simulator.report.charts.story import tell
from tests.support.pages import story
from tests.support.runs import RunBuilder

if TYPE_CHECKING:
    from pathlib import Path


def test_percentiles_over_time_are_those_that_can_be_told(tmp_path: Path) -> None:
    chart = latency_over_time(story(tmp_path))
    assert chart is not None
    assert [line.name for line in chart.lines] == ["p50", "p90", "max"]
    assert "p50 3.39ms" in chart.says


def test_the_spectrum_names_its_percentiles(tmp_path: Path) -> None:
    chart = percentiles(story(tmp_path))
    assert chart is not None
    assert {line.name for line in chart.lines} == {"response", "service", "connect", "lag"}
    shown = ticks(chart.x, *ends(chart.x, x_values(chart)))
    assert [text for _, text in shown] == ["p0", "p50", "p90", "p99"]


def test_without_answers_there_is_nothing_to_draw(tmp_path: Path) -> None:
    run = RunBuilder().run(tmp_path)
    told = tell(run, summarize(run))
    assert latency_over_time(told) is None
    assert percentiles(replace(told, summary={})) is None


def test_the_models_latencies_stand_beside_by_name_and_by_dash(tmp_path: Path) -> None:
    told = story(tmp_path)
    for draw, drawn in ((latency_over_time, {"p50", "p90"}), (percentiles, {"response"})):
        alone, chart = draw(told), draw(replace(told, modelled=told))
        assert alone is not None
        assert chart is not None
        own = {line.name: line for line in alone.lines}
        beside = {line.name: line for line in chart.lines if line.name not in own}
        assert set(beside) == {f"{name}, model" for name in drawn}
        for name in drawn:
            assert own[name].dash != beside[f"{name}, model"].dash == MODEL_DASH
            assert own[name].colour == beside[f"{name}, model"].colour
        assert "model" not in alone.says
        assert chart.says == alone.says + MODEL_SAYS


def test_what_only_the_model_answered_is_drawn(tmp_path: Path) -> None:
    run = RunBuilder().run(tmp_path / "empty")
    chart = latency_over_time(tell(run, summarize(run), story(tmp_path / "full")))
    assert chart is not None
    assert {line.name for line in chart.lines} == {"p50, model", "p90, model"}
