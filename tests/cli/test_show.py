"""`portchurn show` as a user calls it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner, Result

from simulator.cli.show import command
from simulator.errors import ResultsIncomplete, UsageError
from tests.support.stored import aborted, complete, running

if TYPE_CHECKING:
    from pathlib import Path


def shown(root: Path, *arguments: str) -> Result:
    """Run the verb."""
    return CliRunner().invoke(command, ["--results", str(root), *arguments])


def test_a_complete_run_is_shown_verdict_first_and_path_last(tmp_path: Path) -> None:
    folder = complete(tmp_path)
    stored = json.loads((folder / "summary.json").read_text())
    for name in ("latest", folder.name, "by-hand", str(folder)):
        result = shown(tmp_path, name)
        assert result.exit_code == 0, result.output
        lines = result.output.splitlines()
        assert lines[0] == stored["verdict"]["sentence"]
        assert lines[-1] == f"Results: {folder}"


def test_json_is_the_stored_summary_with_its_place(tmp_path: Path) -> None:
    folder = complete(tmp_path)
    found = json.loads(shown(tmp_path, "--output", "json").output)
    assert found.pop("status") == "complete"
    assert found.pop("path") == str(folder)
    assert found == json.loads((folder / "summary.json").read_text())


def test_an_aborted_run_shows_what_it_kept_and_stores_nothing(tmp_path: Path) -> None:
    folder = aborted(tmp_path)
    result = shown(tmp_path, folder.name)
    assert result.exit_code == 0, result.output
    assert result.output.startswith("ABORTED: this run did not come to its end.")
    found = json.loads(shown(tmp_path, folder.name, "--output", "json").output)
    attempts = found["attempts"]
    assert (found["status"], attempts["ok"], attempts["failed"]) == ("aborted", 2, 1)
    assert not (folder / "summary.json").exists()


def test_an_aborted_run_with_torn_streams_is_still_shown(tmp_path: Path) -> None:
    folder = aborted(tmp_path)
    with (folder / "events.jsonl").open("a") as file:
        file.write('{"t_ns": 5, "event": "pha')
    assert shown(tmp_path, folder.name).exit_code == 0


def test_a_running_run_says_so(tmp_path: Path) -> None:
    assert shown(tmp_path, running(tmp_path).name).output.startswith("STILL RUNNING.")


def test_a_name_that_is_not_there_is_answered_with_the_nearest(tmp_path: Path) -> None:
    complete(tmp_path)
    result = shown(tmp_path, "by-hend")
    assert isinstance(result.exception, UsageError)
    assert "by-hand" in str(result.exception)


def test_a_damaged_run_is_refused_with_its_file(tmp_path: Path) -> None:
    folder = aborted(tmp_path)
    (folder / "connections" / "sent_ns.npy").write_bytes(b"no column")
    result = shown(tmp_path, folder.name)
    assert isinstance(result.exception, ResultsIncomplete)
    with pytest.raises(ResultsIncomplete, match=r"sent_ns\.npy"):
        raise result.exception
