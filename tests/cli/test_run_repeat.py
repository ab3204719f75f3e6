"""`portchurn run --repeat`: every run is kept, and the table is made of all of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from simulator.store.read import list_runs
from tests.support.command import portchurn, write_scenario

if TYPE_CHECKING:
    from pathlib import Path

TINY = """\
title: tiny
seed: 4
backends: {ports: random, range: 20000-29999}
traffic: [{name: a, for: 200ms, arrivals: {constant: 50/s}}]
grace: 500ms
variants: {one: {backends.count: 1}, two: {backends.count: 2}}
"""


@pytest.mark.namespace
def test_each_round_runs_both_variants_and_keeps_them(tmp_path: Path) -> None:
    scenario = write_scenario(tmp_path / "tiny.yaml", TINY)
    results = tmp_path / "results"
    asked = ("run", scenario, "--repeat", "2", "--vary-seed", "--results", results)
    done = portchurn(*asked, "--quiet", "--output", "json")
    assert done.code == 0, done.err
    table = done.json
    kept = {run.run_id for run in list_runs(results)}
    told = {run["run"]: run for one in table["variants"] for run in one["runs"]}
    assert set(told) == kept
    assert len(kept) == 4
    assert sorted(table["order"][:2]) == sorted(table["order"][2:]) == ["one", "two"]
    for one in table["variants"]:
        assert one["metrics"]["failed"]["values"] == [0.0, 0.0]
        assert one["failures"] == {"failed": 0, "sent": 20, "at_most": 0.15}
    seeds = {(run["block"], run["seed"]) for run in told.values()}
    assert len(seeds) == 2  # one plan for each round, shared by the pair


def test_another_plan_for_each_round_needs_rounds(tmp_path: Path) -> None:
    done = portchurn("run", write_scenario(tmp_path / "tiny.yaml", TINY), "--vary-seed")
    assert done.code == 2
    assert "--repeat 5" in done.err


def test_markdown_is_a_table_of_variants_and_of_nothing_else(tmp_path: Path) -> None:
    scenario = write_scenario(tmp_path / "tiny.yaml", TINY)
    for more in (["--variant", "one"], ["--repeat", "2"]):
        refused = portchurn("run", scenario, "--output", "markdown", *more)
        assert refused.code == 2
        assert "a table of variants" in refused.err


@pytest.mark.namespace
def test_markdown_has_a_row_for_each_variant(tmp_path: Path) -> None:
    scenario = write_scenario(tmp_path / "tiny.yaml", TINY)
    done = portchurn(
        "run", scenario, "--output", "markdown", "--quiet", "--results", tmp_path / "results"
    )
    assert done.code == 0, done.err
    rows = [line.split("|")[1].strip() for line in done.out.splitlines() if line.startswith("|")]
    assert rows == ["variant", "---", "one", "two"]
