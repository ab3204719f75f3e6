"""`portchurn clean` as a user calls it."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from simulator.cli.clean import command
from simulator.kernel.leftovers import run_tag
from simulator.kernel.namespace import start_ticks
from tests.kernel.test_leftovers import dead_owner, tagged


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The system's temporary directory, of this test alone."""
    folder = tmp_path / "tmp"
    folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    return folder


def clean(*arguments: str) -> Result:
    """Run the verb."""
    return CliRunner().invoke(command, list(arguments))


def store(root: Path, run_id: str, owner: dict[str, object], *, complete: bool) -> Path:
    """A run's folder with just what tells its status."""
    folder = root / "port-wall" / run_id
    folder.mkdir(parents=True)
    manifest = {"schema": "portchurn.run/1", "id": run_id, "connections": 0, "owner": owner}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    if complete:
        (folder / "summary.json").write_text("{}")
    return folder


def owner(pid: int, ticks: int) -> dict[str, object]:
    """The owner as the manifest names it."""
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    return {"pid": pid, "start_ticks": ticks, "boot_id": boot}


def test_only_what_dead_runs_left_is_removed(temporary: Path) -> None:
    pid, ticks = dead_owner()
    dead = temporary / f"portchurn-{pid}-{ticks}-abc"
    living = temporary / f"portchurn-{os.getpid()}-{start_ticks(os.getpid())}-abc"
    dead.mkdir()
    living.mkdir()
    with tagged(f"old:{pid}:{ticks}") as left, tagged(run_tag("new")) as alive:
        dry = clean("--dry-run")
        assert f"would remove process {left.pid}" in dry.output
        assert f"would remove folder {dead}" in dry.output
        assert dead.exists()
        assert left.poll() is None
        result = clean()
        assert result.exit_code == 0, result.output
        assert f"removed process {left.pid}" in result.output
        assert left.wait(timeout=10) == -9
        assert alive.poll() is None
        assert str(alive.pid) not in result.output
    assert not dead.exists()
    assert living.exists()


def test_with_nothing_left_behind_it_says_so(temporary: Path) -> None:
    assert list(temporary.iterdir()) == []
    assert clean().output == "Nothing was left behind.\n"


@pytest.mark.usefixtures("temporary")
def test_results_stay_unless_those_of_aborted_runs_are_asked_for(tmp_path: Path) -> None:
    root = tmp_path / "results"
    dead = owner(*dead_owner())
    living = owner(os.getpid(), start_ticks(os.getpid()))
    aborted = store(root, "20260101-120000-aaaa", dead, complete=False)
    complete = store(root, "20260101-120000-bbbb", dead, complete=True)
    running = store(root, "20260101-120000-cccc", living, complete=False)
    clean("--results", str(root))
    assert aborted.exists()
    result = clean("--results", str(root), "--aborted")
    assert f"removed results {aborted}" in result.output
    assert not aborted.exists()
    assert complete.exists()
    assert running.exists()
