"""The page of a comparison: differences above, ratios, and the charts of both on the same axes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from simulator.report.page.comparison_page import changes, comparison_page
from simulator.report.page.together import named
from simulator.report.stored import stored
from tests.report.test_comparison_text import RATIO, side, table
from tests.support.pages import HOSTILE, stored_run

if TYPE_CHECKING:
    from pathlib import Path

    from simulator.report.page.together import Named


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> list[Named]:
    folder: Path = stored_run(tmp_path_factory.mktemp("runs"))
    return [named(name, name.lower(), stored(folder)) for name in "AB"]


def test_each_later_side_has_a_sentence_with_what_its_intervals_show() -> None:
    quiet = RATIO | {"ratio": 1.0, "says": "no difference shown"}
    none = RATIO | {"ratio": None, "interval": None, "says": "more"}
    series = [
        {"metric": "connect.p99", "values": [1, 2], "ratios": [RATIO]},
        {"metric": "connect.p50", "values": [1, 1], "ratios": [quiet]},
        {"metric": "failed", "values": [0, 9], "ratios": [none]},
    ]
    [said] = changes(table(series=series))
    assert said == "B against A: connect.p99 slower (1.250), failed more."
    assert changes(table(series=series[1:2])) == ["B against A: no difference shown."]


def test_differences_ratios_and_overlaid_charts_are_there(runs: list[Named]) -> None:
    differing = {"place": "scenario", "key": "kernel.port_range", "values": ["1-2", "1-3"]}
    page = comparison_page(table(differences=[differing]), runs, shared="x.js")
    assert "<h1>port-wall: B against A</h1>" in page
    assert page.index("kernel.port_range") < page.index("1.100..1.400") < page.index("data-chart")
    assert page.count('data-chart="rates"') == 1
    for key in "ab":
        assert f'data-chart="ports-balancer-backend-{key}"' in page


def test_limits_and_what_was_forced_are_said_at_the_top(runs: list[Named]) -> None:
    limit = {"text": "failed > +5", "side": "B", "base": 1.0, "value": 9.0, "why": "beyond"}
    made = table(obstacles=[{"message": "B: sent late"}], limits=[limit | {"failed": True}])
    page = comparison_page(made, runs, shared="x.js")
    assert '<p class="doubt">Not comparable: B: sent late</p>' in page
    assert '<li class="breaks">failed &gt; +5' in page
    assert '<div class="verdict">' in page


def test_hostile_names_are_text(runs: list[Named]) -> None:
    evil = table(sides=[side("A", scenario=HOSTILE, title=HOSTILE), side("B", variant=HOSTILE)])
    assert "<img" not in comparison_page(evil, runs, shared="x.js")
