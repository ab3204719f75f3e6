"""Traces: read within bounds, never through a link, and every error with its line and column."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.errors import ScenarioError
from simulator.scenario import trace_file
from simulator.scenario.load import load_file
from simulator.scenario.trace_file import parse_trace
from simulator.traffic.plan import make_plan

if TYPE_CHECKING:
    from pathlib import Path

TEXT = """\
title: replay
traffic:
  - {name: all, for: 2s, arrivals: {trace: traces/day.csv}, lifetime: 7ms, response_size: 9B}
"""
ROWS = "due_s,lifetime_s,request_bytes\n0,0.5,10\n0.25,0,20\n0.25,1.000000001,0\n1.999999999,2,5\n"


def write(tmp_path: Path, rows: str = ROWS) -> Path:
    (tmp_path / "traces").mkdir()
    (tmp_path / "traces" / "day.csv").write_text(rows)
    path = tmp_path / "replay.yaml"
    path.write_text(TEXT)
    return path


def test_a_trace_is_planned_as_it_stands(tmp_path: Path) -> None:
    loaded = load_file(write(tmp_path))
    plan = make_plan(loaded.scenario, loaded.traces)
    assert plan.columns["due_ns"].tolist() == [0, 250_000_000, 250_000_000, 1_999_999_999]
    assert plan.columns["lifetime_ns"].tolist() == [500_000_000, 0, 1_000_000_001, 2_000_000_000]
    assert plan.columns["request_bytes"].tolist() == [10, 20, 0, 5]
    assert plan.columns["response_bytes"].tolist() == [9] * 4


def test_what_a_trace_leaves_out_the_phase_gives(tmp_path: Path) -> None:
    loaded = load_file(write(tmp_path, "\ufeffdue_s\r\n0.1\r\n0.2\r\n"))
    plan = make_plan(loaded.scenario, loaded.traces)
    assert plan.columns["due_ns"].tolist() == [100_000_000, 200_000_000]
    assert plan.columns["lifetime_ns"].tolist() == [7_000_000] * 2
    assert plan.columns["request_bytes"].tolist() == [64] * 2


@pytest.mark.parametrize(
    ("rows", "where", "words"),
    [
        ("", "1:1", "is no column"),
        ("due", "1:1", "'due' is no column; they are due_s, lifetime_s"),
        ("lifetime_s\n1", "1:1", "has no column due_s"),
        ("due_s, due_s\n1,1", "1:8", "stands twice"),
        ("due_s\n", "2:1", "is missing"),
        ("due_s\n0\n\n1", "3:1", "due_s is ''"),
        ("due_s\n0\n-1", "3:1", "due_s is '-1'"),
        ("due_s\n1e3", "2:1", "write seconds"),
        ("due_s\nnan", "2:1", "write seconds"),
        ("due_s\n0.0000000001", "2:1", "up to 9 decimals"),
        ("due_s\n3600.1", "2:1", "is more than 3,600s"),
        ("due_s\n1\n0.5", "3:1", "before that of the line above"),
        ("due_s,lifetime_s\n1,  x", "2:5", "lifetime_s is 'x'"),
        ("due_s,lifetime_s\n1", "2:1", "has 1 values, but the header has 2"),
        ("due_s,request_bytes\n1,1.5", "2:3", "as a whole number"),
        ("due_s,request_bytes\n1,16777217", "2:3", "is more than 16,777,216 bytes"),
        ("due_s\n\x1b[31m", "2:1", "\\x1b"),
        ("due_s\n\u0661", "2:1", "write seconds"),
    ],
)
def test_each_error_is_named_with_line_and_column(
    tmp_path: Path, rows: str, where: str, words: str
) -> None:
    with pytest.raises(ScenarioError) as error:
        load_file(write(tmp_path, rows))
    assert str(error.value).startswith(f"traces/day.csv:{where}: ")
    assert words in str(error.value)
    assert "\x1b" not in str(error.value)


def test_a_trace_that_is_longer_than_its_phase_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ScenarioError, match=r"due after 2s, but phase all lasts 2s"):
        load_file(write(tmp_path, "due_s\n2"))


def test_bounds_hold(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path, "due_s\n" + "0\n" * 100)
    monkeypatch.setattr(trace_file, "MAX_TRACE_ROWS", 99)
    with pytest.raises(ScenarioError, match="more than 99 rows"):
        load_file(path)
    monkeypatch.setattr(trace_file, "MAX_TRACE_BYTES", 100)
    with pytest.raises(ScenarioError, match="is larger than"):
        load_file(path)


def test_bytes_that_are_no_text_are_named(tmp_path: Path) -> None:
    path = write(tmp_path)
    (tmp_path / "traces" / "day.csv").write_bytes(b"due_s\n0\n\xff\n")
    with pytest.raises(ScenarioError, match=r"day.csv:3:1: is not UTF-8"):
        load_file(path)


@pytest.mark.parametrize("kind", ["file link", "folder link", "fifo", "folder", "missing"])
def test_only_a_plain_file_below_the_folder_is_read(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "replay.yaml"
    path.write_text(TEXT)
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "day.csv").write_text(ROWS)
    traces = tmp_path / "traces"
    if kind == "folder link":
        traces.symlink_to(outside)
    else:
        traces.mkdir()
    if kind == "file link":
        (traces / "day.csv").symlink_to(outside / "day.csv")
    elif kind == "fifo":
        os.mkfifo(traces / "day.csv")
    elif kind == "folder":
        (traces / "day.csv").mkdir()
    with pytest.raises(ScenarioError, match=r"traces/day.csv: (cannot be read|is no plain file)"):
        load_file(path)


@given(st.lists(st.integers(0, 3600 * 10**9), min_size=1, max_size=20))
def test_every_moment_that_can_be_written_is_read_exactly(moments: list[int]) -> None:
    moments.sort()
    rows = "\n".join(f"{ns // 10**9}.{ns % 10**9:09d}" for ns in moments)
    assert list(parse_trace(f"due_s\n{rows}\n", "t").due_ns) == moments


@given(st.text())
def test_any_text_is_a_trace_or_a_scenario_error(text: str) -> None:
    with suppress(ScenarioError):
        assert len(parse_trace(text, "t").due_ns) >= 1
