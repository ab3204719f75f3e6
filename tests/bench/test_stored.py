"""A bench is kept with its machine, its versions and every value, and is no run."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from simulator.bench.rows import summarise
from simulator.bench.stored import keep
from simulator.errors import Refused
from simulator.store.layout import BENCH_SCHEMA
from simulator.store.read import list_runs

if TYPE_CHECKING:
    from pathlib import Path

ROUNDS = {"own": [{"cost": 1.0, "errors": 0.0}]}
ROWS = summarise("cost", ROUNDS, {"own": "1", "peer": None}, {"cost": "us", "errors": "n"}, "peer")


def kept(root: Path) -> Path:
    options = {"rounds": 1}
    return keep(
        root, "cost", rows=ROWS, table="a table", rounds=ROUNDS, options=options, command=["bench"]
    )


def test_everything_is_there_and_who_was_absent_is_named(tmp_path: Path) -> None:
    folder = kept(tmp_path)
    assert folder.parent == tmp_path / "bench-cost"
    manifest = json.loads((folder / "manifest.json").read_text())
    assert manifest["schema"] == BENCH_SCHEMA
    assert manifest["absent"] == ["peer"]
    assert manifest["environment"]["kernel"]
    assert json.loads((folder / "rounds.json").read_text()) == ROUNDS
    rows = json.loads((folder / "rows.json").read_text())
    assert [(row["subject"], row["metric"], row["n"]) for row in rows] == [
        ("own", "cost", 1),
        ("own", "errors", 1),
        ("peer", "cost", 0),
        ("peer", "errors", 0),
    ]
    assert (folder / "table.txt").read_text() == "a table\n"


def test_a_bench_is_not_listed_among_runs(tmp_path: Path) -> None:
    kept(tmp_path)
    assert list_runs(tmp_path) == []


def test_a_folder_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(Refused):
        kept(tmp_path / "file")
