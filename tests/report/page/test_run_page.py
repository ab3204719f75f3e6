"""A run's page: from the folder alone, with every chart, safe from its scenario, small, whole."""

from __future__ import annotations

import json
import re
from time import process_time
from typing import TYPE_CHECKING

import numpy as np
import pytest

from simulator.records import PLAN_COLUMNS
from simulator.report.page.document import library
from simulator.report.page.run_page import REPORT, charts, run_page, write_run_page
from simulator.report.stored import stored
from simulator.store.agreement import keep_agreement
from tests.support.pages import ESCAPES, HOSTILE, busy, stored_run, story
from tests.support.stored import aborted, change_manifest

if TYPE_CHECKING:
    from pathlib import Path

NAMES = (
    *("ports-balancer-backend", "tuples-balancer-backend", "tuples-client-balancer"),
    *("connect-cost-balancer-backend", "rates", "open", "latency", "percentiles", "errors"),
    *("picks", "leases", "cpu", "memory"),
)


def test_every_chart_is_there_and_none_twice(tmp_path: Path) -> None:
    names = [chart.name for chart in charts(story(tmp_path))]
    assert set(names) >= set(NAMES) - {"picks", "connect-cost-balancer-backend"}
    assert len(names) == len(set(names))


def test_a_page_is_made_again_from_the_folder_alone(tmp_path: Path) -> None:
    folder = stored_run(tmp_path)
    first = write_run_page(folder).read_bytes()
    moved = tmp_path / "elsewhere"
    folder.rename(moved)
    assert write_run_page(moved).read_bytes() == first
    assert first.endswith(b"</html>\n")
    assert [one.name for one in moved.iterdir() if one.name.startswith(".")] == []


@pytest.mark.parametrize("text", [HOSTILE, ESCAPES])
def test_what_a_scenario_says_is_shown_and_never_obeyed(tmp_path: Path, text: str) -> None:
    phase = {"name": "steady", "for": "1s", "arrivals": {"constant": "1/s"}}
    folder = stored_run(tmp_path, title=text, expect=text, traffic=[phase])
    change_manifest(folder, variant=text, scenario_text=text, command=["run", text])
    page = run_page(stored(folder)).replace(library(), "")
    assert "<img" not in page
    assert page.count("<script>") == 2  # the chart library and ours
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202e]", page)
    for body in re.findall(r'<script type="application/json"[^>]*>(.*?)</script>', page):
        json.loads(body)


def test_a_run_cut_short_says_so_first(tmp_path: Path) -> None:
    page = write_run_page(aborted(tmp_path)).read_text()
    assert page.index("ABORTED") < page.index("<nav")


def test_the_script_may_stand_beside_the_runs(tmp_path: Path) -> None:
    folder = stored_run(tmp_path)
    page = write_run_page(folder, shared=True)
    assert page.stat().st_size < 400_000
    (script,) = folder.parent.glob("plotly-*.min.js")
    assert f'src="../{script.name}"' in page.read_text()
    assert script.read_text() == library()


def test_a_link_in_the_way_is_replaced_and_not_followed(tmp_path: Path) -> None:
    folder = stored_run(tmp_path)
    victim = tmp_path / "victim"
    victim.write_text("mine")
    (folder / REPORT).symlink_to(victim)
    write_run_page(folder)
    assert victim.read_text() == "mine"
    assert not (folder / REPORT).is_symlink()


def test_a_long_run_with_many_destinations_stays_small(tmp_path: Path) -> None:
    """A minute, ten samples a second, 64 backends that move, a hundred thousand connections."""
    traffic = [{"name": "long", "for": "60s", "arrivals": {"constant": "2000/s"}}]
    made = busy(traffic=traffic, backends={"count": 64})
    samples = [line for name, line in made.lines if name == "samples"]
    for at in range(21, 600):
        made.lines.append(("samples", {**samples[at % 21], "t_ns": at * 100_000_000}))
        made.tick(at * 100_000_000, "client", user_ns=at * 20_000_000)
    for backend in range(2, 64):
        for turn in range(10):
            start = turn * 6_000_000_000
            made.lease(backend, 30_000 + backend * 10 + turn, start, start + 5_000_000_000)
    plan = made.plan
    assert set(plan) >= set(PLAN_COLUMNS)
    made.plan = {name: np.resize(column, 120_000) for name, column in plan.items()}
    with made.write(tmp_path) as writer:
        columns = {path.stem: path for path in (writer.folder / "connections").iterdir()}
        for name, path in columns.items():
            column = np.load(path, mmap_mode="r+")
            first = column[:300].copy()
            column[:] = np.resize(first, 120_000)
            if name.endswith("_ns") and name != "connect_call_ns":
                shift = np.repeat(np.arange(400) * 150_000_000, 300)
                column[:] = np.where(column >= 0, column + shift, -1)
    began = process_time()
    page = write_run_page(writer.folder)
    assert process_time() - began < 4.0  # a second or so on a quiet machine
    assert page.stat().st_size < 6_000_000


def test_the_model_stands_beside_the_kernel_where_both_ran(tmp_path: Path) -> None:
    real, model = stored_run(tmp_path), stored_run(tmp_path)
    row = {"name": "ok", "kernel": 280.0, "model": 277.0, "error": 0.0107, "target": 0.02}
    keep_agreement(real, model, [{**row, "holds": True}])
    page = run_page(stored(real))
    assert "in use, model" in page
    assert "1.1 %" in page
    assert "in use, model" not in run_page(stored(model))
