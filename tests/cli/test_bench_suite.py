"""`portchurn bench` beyond the relay: one frame for all benches."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from simulator.bench.catalogue import BENCHES
from simulator.bench.rows import summarise
from simulator.cli.bench import command
from simulator.cli.bench_suite import finish

if TYPE_CHECKING:
    from pathlib import Path

UNITS = {"cost": "us", "errors": "connections"}


def test_list_names_every_bench_and_who_takes_part() -> None:
    done = CliRunner().invoke(command, ["list"])
    assert done.exit_code == 0
    for name in ("relay", *BENCHES):
        assert f"\n{name} " in f"\n{done.output}"
    assert "haproxy" in done.output


def test_help_names_every_bench() -> None:
    text = CliRunner().invoke(command, ["--help"]).output
    assert all(f"\n  {name} " in text for name in ("relay", "list", "all", *BENCHES))


@pytest.mark.parametrize("name", BENCHES)
def test_each_bench_explains_its_options(name: str) -> None:
    text = CliRunner().invoke(command, [name, "--help"]).output
    assert "--rounds" in text
    assert "Subjects:" in text


def test_a_misspelt_bench_is_a_usage_error() -> None:
    assert CliRunner().invoke(command, ["conect"]).exit_code == 2


@pytest.mark.namespace
@pytest.mark.slow
def test_json_is_one_row_for_each_subject_and_metric(tmp_path: Path) -> None:
    words = ["connect", "--rounds", "1", "--ports", "300", "--connects", "20"]
    done = CliRunner().invoke(command, [*words, "--output", "json", "--results", str(tmp_path)])
    assert done.exit_code == 0, done.output
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert len({(row["subject"], row["metric"]) for row in rows}) == len(rows)
    keys = "bench subject version metric unit median low high n against ratio ratio_low ratio_high"
    assert all(list(row) == keys.split() for row in rows)
    (folder,) = (tmp_path / "bench-connect").iterdir()
    assert json.loads((folder / "rows.json").read_text()) == rows


def test_work_that_failed_refuses_the_comparison(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rounds = {"own": [{"cost": 1.0, "errors": 2.0}]}
    rows = summarise("cost", rounds, {"own": "1"}, UNITS, "")
    assert finish("cost", rows, "table", rounds, {}, "text", tmp_path) == 5
    assert "Not valid" in capsys.readouterr().err
    [page] = (tmp_path / "bench-cost").glob("*/report.html")
    assert "Not valid: work failed in some round (own)" in page.read_text()
