"""Rates, open connections and failures over time: sums agree with the counts of the run."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from simulator.report.charts.colours import MODEL_SAYS
from simulator.report.charts.rates import failures, open_connections, rates
from tests.support.pages import story

if TYPE_CHECKING:
    from pathlib import Path

    from simulator.report.charts.story import Story


def test_rates_add_up_to_what_was_sent(tmp_path: Path) -> None:
    told = story(tmp_path)
    chart = rates(told)
    sums = {
        line.name: sum(one for one in line.y if one is not None) * told.series.bin_s
        for line in chart.lines
    }
    assert sums == pytest.approx({"asked": 300, "sent": 300, "ok": 280, "failed": 20})
    assert "300 were sent, 280 went well, 20 failed" in chart.says


def test_the_model_is_dashed(tmp_path: Path) -> None:
    told = story(tmp_path)
    lines = rates(replace(told, modelled=told)).lines
    assert {line.name for line in lines if line.dash} == {"ok, model", "failed, model"}
    opened = open_connections(replace(told, modelled=told))
    assert opened is not None
    assert [line.dash for line in opened.lines] == ["", "6 4"]


def test_failures_are_told_by_hop_call_and_errno(tmp_path: Path) -> None:
    chart = failures(story(tmp_path))
    assert chart is not None
    assert [line.name for line in chart.lines] == ["balancer-backend/connect/EADDRNOTAVAIL"]
    assert "20 times" in chart.says


def test_rare_kinds_of_failures_are_added_up(tmp_path: Path) -> None:
    told = story(tmp_path)
    bins = len(told.series.t_s)
    many = {f"hop/connect/E{at}": [float(20 - at)] * bins for at in range(12)}
    chart = failures(replace(told, series=replace(told.series, errors_per_s=many)))
    assert chart is not None
    assert [line.name for line in chart.lines][-1] == "4 more kinds"
    assert chart.lines[-1].y[0] == 12 + 11 + 10 + 9
    looks = {(line.colour, line.dash) for line in chart.lines}
    assert len(looks) == len(chart.lines)


def test_no_failure_no_chart(tmp_path: Path) -> None:
    told = story(tmp_path)
    assert failures(replace(told, series=replace(told.series, errors_per_s={}))) is None
    quiet = replace(told.series, open_connections=[0] * len(told.series.t_s))
    assert open_connections(replace(told, series=quiet)) is None


def test_failures_of_the_model_are_dashed_in_the_colour_of_their_kind(tmp_path: Path) -> None:
    told = story(tmp_path)
    bins = len(told.series.t_s)

    def failing(**kinds: float) -> Story:
        series = {f"hop/connect/{key}": [value] * bins for key, value in kinds.items()}
        return replace(told, series=replace(told.series, errors_per_s=series))

    both = replace(failing(A=3.0, B=1.0), modelled=failing(A=2.0, C=9.0))
    chart = failures(both)
    assert chart is not None
    lines = {line.name.removeprefix("hop/connect/"): line for line in chart.lines}
    assert set(lines) == {"A", "B", "A, model", "C, model"}
    assert lines["A"].colour == lines["A, model"].colour
    assert {name for name, line in lines.items() if line.dash} == {"A, model", "C, model"}
    assert len({lines[name].colour for name in ("A", "B", "C, model")}) == 3
    assert "hop/connect/A" in chart.says
    assert chart.says.endswith(MODEL_SAYS)
    only = failures(replace(failing(), modelled=failing(C=9.0)))
    assert only is not None
    assert [line.name for line in only.lines] == ["hop/connect/C, model"]
    assert only.says.startswith("None failed here")
    many = failing(**{f"E{at}": float(20 - at) for at in range(12)})
    crowd = failures(replace(many, modelled=many))
    assert crowd is not None
    assert len(crowd.lines) == 2 * (5 + 1)
    assert all(bool(line.dash) == line.name.endswith(", model") for line in crowd.lines)
