"""`portchurn list` as a user calls it."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from click.testing import CliRunner, Result

from simulator.cli.list_runs import command
from tests.support.stored import aborted, change_manifest, complete, running

if TYPE_CHECKING:
    from pathlib import Path


def listed(root: Path, *arguments: str) -> Result:
    """Run the verb."""
    return CliRunner().invoke(command, ["--results", str(root), *arguments])


def test_runs_are_listed_newest_first_with_their_status_and_counts(tmp_path: Path) -> None:
    first, second, third = complete(tmp_path), running(tmp_path), aborted(tmp_path)
    lines = listed(tmp_path).output.splitlines()
    assert re.split(r"\s{2,}", lines[0]) == [
        *("started", "scenario", "run", "status", "verdict", "ok", "failed")
    ]
    assert [re.split(r"\s{2,}", line)[2] for line in lines[1:]] == [
        third.name,
        second.name,
        first.name,
    ]
    assert lines[1].startswith("2026-01-03 12:00:00  by-hand  ")
    assert "ABORTED" in lines[1]
    assert "running" in lines[2]
    assert re.search(r"complete +\S.* +2 +1$", lines[3])


def test_json_holds_every_field(tmp_path: Path) -> None:
    folder = complete(tmp_path)
    found: list[dict[str, Any]] = json.loads(listed(tmp_path, "--output", "json").output)
    (run,) = found
    assert run["path"] == str(folder)
    assert (run["status"], run["ok"], run["failed"]) == ("complete", 2, 1)
    assert run["scenario"] == "by-hand"
    assert run["verdict"]


def test_only_the_last_ones_are_shown_when_asked(tmp_path: Path) -> None:
    complete(tmp_path)
    newest = aborted(tmp_path)
    lines = listed(tmp_path, "--last", "1").output.splitlines()
    assert len(lines) == 2
    assert newest.name in lines[1]


def test_without_runs_it_says_how_to_start(tmp_path: Path) -> None:
    result = listed(tmp_path / "nothing")
    assert result.exit_code == 0
    assert "portchurn run scenarios/port-wall.yaml" in result.output


def test_a_damaged_run_is_listed_and_does_not_hide_the_others(tmp_path: Path) -> None:
    whole, damaged = complete(tmp_path), aborted(tmp_path)
    (damaged / "manifest.json").write_text('{"schema": ')
    torn = complete(tmp_path)
    (torn / "summary.json").write_text("{")
    output = listed(tmp_path).output
    assert output.count("UNREADABLE") == 2
    assert whole.name in output


def test_what_a_manifest_says_is_only_text(tmp_path: Path) -> None:
    folder = aborted(tmp_path)
    change_manifest(folder, started="\x1b[2J\x1b]0;owned\x07", title="\x1b[31m")
    assert "\x1b" not in listed(tmp_path).output
