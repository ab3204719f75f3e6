"""Charts of several runs on the same axes."""

from __future__ import annotations

from dataclasses import replace

from simulator.report.charts.chart import Level, Line, Mark
from simulator.report.charts.colours import GREY, WALL
from simulator.report.charts.overlay import Drawn, apart, overlays
from simulator.report.charts.svg import svg
from tests.support.drawn import grid_chart, lanes_chart, lines_chart

LINE = Line(name="p50", x=(0.0, 1.0), y=(1.0, 2.0), colour="#000000")


def drawn(name: str, *charts: object) -> Drawn:
    return Drawn(name=name, key=name.lower(), charts=charts)  # type: ignore[arg-type]


def test_each_run_has_a_colour_and_each_series_a_dash() -> None:
    chart = replace(lines_chart("latency"), lines=(LINE, replace(LINE, name="p99")))
    [both] = overlays([drawn("A", chart), drawn("B", chart)])
    assert [line.name for line in both.lines] == ["A p50", "A p99", "B p50", "B p99"]
    colours = [line.colour for line in both.lines]
    assert colours[0] == colours[1] != colours[2] == colours[3]
    assert WALL not in colours
    assert [line.dash for line in both.lines] == ["", "6 4", "", "6 4"]
    assert svg(both)


def test_series_that_nobody_could_tell_apart_are_left_out() -> None:
    lines = tuple(replace(LINE, name=name) for name in ("asked", "sent", "ok", "failed"))
    chart = replace(lines_chart("rates"), lines=lines)
    [both] = overlays([drawn("A", chart), drawn("B", chart)])
    assert [line.name for line in both.lines] == ["A ok", "A failed", "B ok", "B failed"]


def test_a_heap_becomes_its_upper_edge_and_gaps_stay() -> None:
    area = replace(LINE, form="area")
    heap = (replace(area, name="a"), replace(area, name="b", y=(3.0, None)))
    [both] = overlays([drawn("A", replace(lines_chart("tuples-x"), lines=heap))])
    [line] = both.lines
    assert (line.name, line.form, line.y) == ("A", "line", (4.0, None))


def test_a_shared_wall_is_told_once_and_others_by_whose_they_are() -> None:
    wall, other = Level(at=5.0, text="wall: 5"), Level(at=9.0, text="wall: 9")
    charts = [
        replace(lines_chart("tuples-x"), lines=(LINE,), levels=(level,))
        for level in (wall, other, wall)
    ]
    both = [drawn(name, chart) for name, chart in zip("ABC", charts, strict=True)]
    assert overlays([both[0], both[2]])[0].levels == (wall,)
    texts = [level.text for level in overlays(both)[0].levels]
    assert texts == ["A, C: wall: 5", "B: wall: 9"]


def test_phases_are_marked_once_and_walls_for_each_run() -> None:
    phase, small = Mark(at=1.0, text="phase two", colour=GREY), Mark(at=2.0, text="x", colour=GREY)
    wall = Mark(at=1.5, text="no port left, client-balancer", colour=WALL)
    marks = (phase, wall, replace(small, is_strong=False))
    chart = replace(lines_chart("open"), lines=(LINE,), marks=marks)
    [both] = overlays([drawn("A", chart), drawn("B", chart)])
    texts = [mark.text for mark in both.marks]
    assert texts == ["phase two", "A: no port left", "B: no port left"]


def test_axes_hold_what_either_needs() -> None:
    short, long = (
        replace(lines_chart("open"), x=replace(lines_chart().x, high=high)) for high in (4.0, 9.0)
    )
    assert overlays([drawn("A", short), drawn("B", long)])[0].x.high == 9
    grids = [replace(grid_chart(), name="ports-x", x=chart.x) for chart in (short, long)]
    found = apart([drawn("A", grids[0]), drawn("B", grids[1])], "ports-")
    assert [chart.x.high for chart in found] == [9, 9]
    assert [chart.name for chart in found] == ["ports-x-a", "ports-x-b"]
    assert [chart.title for chart in found] == ["A: text", "B: text"]


def test_what_has_no_lines_or_cannot_be_laid_over_is_no_overlay() -> None:
    errors = lines_chart("errors")
    assert overlays([drawn("A", grid_chart(), lanes_chart(), errors)]) == []
