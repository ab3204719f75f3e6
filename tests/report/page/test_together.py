"""Several runs on one page: a world for each, and sections of charts for all."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from simulator.report.charts.colours import MODEL_DASHES
from simulator.report.page.together import chart_sections, named, worlds
from simulator.report.stored import stored
from tests.support.pages import stored_run

if TYPE_CHECKING:
    from pathlib import Path


def test_each_run_has_its_world_and_all_share_the_charts(tmp_path: Path) -> None:
    found = stored(stored_run(tmp_path))
    runs = [named(name, name, found) for name in ("one", "two")]
    text = worlds(runs)
    assert text.count('class="world"') == 2
    assert text.count('role="status"') == 2
    bodies = {section.name: section.body for section in chart_sections(runs)}
    assert list(bodies) == ["ports", "tuples", "connect-cost", "rates", "latency", "cost"]
    assert "one ok" in bodies["rates"]
    assert "two ok" in bodies["rates"]
    assert bodies["ports"].count("<figure") == 2
    drawn = re.findall(r'data-chart="([^"]*)"', "".join(bodies.values()))
    assert len(drawn) == len(set(drawn))


def test_engines_are_told_apart_by_dash_and_not_by_colour_alone(tmp_path: Path) -> None:
    found = stored(stored_run(tmp_path))
    manifest = {**found.run.manifest, "engine": "model"}
    other = replace(found, run=replace(found.run, manifest=manifest))
    drawn = {
        alike: "".join(
            section.body
            for section in chart_sections([named("a", "a", found), named("b", "b", one)])
        )
        for alike, one in ((True, found), (False, other))
    }
    second = f'stroke-dasharray="{MODEL_DASHES[1]}"'
    assert second not in drawn[True]
    assert second in drawn[False]
