"""Writing runs: what is there after each step, and what is left when the disk says no."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from simulator.errors import InternalError, Refused, ResultsIncomplete
from simulator.records import CONNECTION_COLUMNS, DIAL_COLUMNS, PLAN_COLUMNS, Outcome
from simulator.store.owner import this_process
from simulator.store.write import RunWriter, create_run
from tests.support.runs import RunBuilder, plan, scenario


def made(root: Path, rows: int = 3) -> RunWriter:
    return RunBuilder().planned(list(range(rows))).write(root)


def test_a_new_run_is_all_planned_and_nothing_has_happened(tmp_path: Path) -> None:
    with made(tmp_path / "r", rows=5) as writer:
        for name, dtype in CONNECTION_COLUMNS.items():
            column = np.load(writer.folder / "connections" / f"{name}.npy", allow_pickle=False)
            assert column.dtype == np.dtype(dtype)
            wanted = -1 if name.endswith("_ns") or name == "backend" else 0
            assert column.tolist() == [wanted] * 5
        assert np.load(writer.folder / "connections" / "outcome.npy")[0] == Outcome.PLANNED
        for name in PLAN_COLUMNS:
            assert len(np.load(writer.folder / "plan" / f"{name}.npy")) == 5
        assert writer.job.connections == 5
        assert writer.job.folder == writer.folder
    assert not (writer.folder / "summary.json").exists()


def test_a_run_of_no_connections_can_be_written(tmp_path: Path) -> None:
    with made(tmp_path / "r", rows=0) as writer:
        assert np.load(writer.folder / "connections" / "port.npy").shape == (0,)


def test_the_manifest_says_who_what_when_and_how_to_do_it_again(tmp_path: Path) -> None:
    with made(tmp_path / "r") as writer:
        manifest = json.loads((writer.folder / "manifest.json").read_text())
    assert manifest["schema"] == "portchurn.run/1"
    assert manifest["id"] == writer.run_id
    assert manifest["scenario"] == "by-hand"
    assert manifest["connections"] == 3
    assert manifest["owner"] == this_process().as_dict()
    assert manifest["command"] == ["portchurn", "run", "by-hand.yaml"]
    assert manifest["started"].endswith("+00:00")
    resolved = scenario().model_dump(mode="json", by_alias=True)
    assert manifest["scenario_resolved"] == resolved
    assert (writer.folder / "scenario.yaml").read_text() == manifest["scenario_text"]


def test_every_line_and_row_is_in_the_file_before_the_call_returns(tmp_path: Path) -> None:
    with made(tmp_path / "r") as writer:
        writer.line("samples", {"t_ns": np.int64(7), "who": "a\nb"})
        assert (writer.folder / "samples.jsonl").read_bytes() == b'{"t_ns":7,"who":"a\\nb"}\n'
        row = np.arange(len(DIAL_COLUMNS), dtype="<i8")
        writer.rows("dials", 1, row.tobytes() * 2)
        assert (writer.folder / "dials-1.bin").stat().st_size == 2 * row.nbytes


@pytest.mark.parametrize("stream", ["events/../../x", "dials", "", "summary"])
def test_lines_go_to_known_streams_only(tmp_path: Path, stream: str) -> None:
    with made(tmp_path / "r") as writer, pytest.raises(InternalError):
        writer.line(stream, {})


def test_rows_must_be_whole(tmp_path: Path) -> None:
    with made(tmp_path / "r") as writer:
        with pytest.raises(InternalError, match="no whole row"):
            writer.rows("dials", 0, b"\0" * 55)
        with pytest.raises(InternalError, match="no stream"):
            writer.rows("samples", 0, b"")


def test_a_number_that_json_cannot_hold_is_refused(tmp_path: Path) -> None:
    with made(tmp_path / "r") as writer, pytest.raises(ValueError, match="not JSON compliant"):
        writer.line("events", {"t_ns": float("nan")})


def test_the_summary_is_whole_and_last(tmp_path: Path) -> None:
    with made(tmp_path / "r") as writer:
        writer.finish({"schema": "portchurn.summary/1", "valid": True})
    assert json.loads((writer.folder / "summary.json").read_text())["valid"] is True
    assert not list(writer.folder.glob(".*"))


def test_two_runs_of_one_second_have_folders_of_their_own(tmp_path: Path) -> None:
    folders = set()
    for _ in range(5):
        with made(tmp_path / "r", rows=1) as writer:
            folders.add(writer.folder)
    assert len(folders) == 5


def test_a_root_that_cannot_hold_results_is_refused_before_anything_is_made(
    tmp_path: Path,
) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to("folder")
    for name in ("file", "link"):
        with pytest.raises(Refused):
            made(tmp_path / name)
    assert list((tmp_path / "folder").iterdir()) == []


def test_a_linked_scenario_folder_is_not_written_through(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "r").mkdir()
    (tmp_path / "r" / "by-hand").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(Refused, match="symbolic link"):
        made(tmp_path / "r")
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_a_stream_that_was_replaced_by_a_link_is_not_written(tmp_path: Path) -> None:
    target = tmp_path / "target"
    target.write_text("untouched")
    with made(tmp_path / "r") as writer:
        (writer.folder / "events.jsonl").symlink_to(target)
        with pytest.raises(ResultsIncomplete):
            writer.line("events", {"t_ns": 0})
    assert target.read_text() == "untouched"


def test_a_plan_that_does_not_fit_together_is_our_bug(tmp_path: Path) -> None:
    def create(columns: dict[str, np.ndarray[Any, Any]]) -> None:
        create_run(
            tmp_path / "r", slug="s", text="", scenario=scenario(), variant="",
            engine="kernel", command=[], plan=columns, host={},
        )  # fmt: skip

    good = plan([1, 2])
    for bad in (
        {name: column for name, column in good.items() if name != "phase"},
        good | {"due_ns": good["due_ns"][:1]},
        good | {"due_ns": good["due_ns"].astype("<i4")},
    ):
        with pytest.raises(InternalError):
            create(bad)
    assert not (tmp_path / "r").exists()


FULL_DISK = """
import os, subprocess, sys
from pathlib import Path
from simulator.errors import Refused, ResultsIncomplete
from simulator.store.read import load_run
from tests.support.runs import RunBuilder

root = Path(sys.argv[1])
subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1M", "tmpfs", str(root)], check=True)
try:
    RunBuilder().planned(list(range(100_000))).write(root / "r")
except Refused as refusal:
    assert "No space left" in str(refusal), refusal
    assert "100,000 connections need" in str(refusal), refusal
    assert list((root / "r" / "by-hand").iterdir()) == [], "the refused run was left behind"
else:
    raise AssertionError("7 MB of columns went into 1 MiB")
kept = 0
with RunBuilder().planned([0]).write(root / "r") as writer:
    try:
        while True:
            writer.line("events", {"t_ns": kept, "event": "x" * 1000})
            kept += 1
    except ResultsIncomplete as broken:
        assert "No space left" in str(broken) and "is kept" in str(broken), broken
    assert writer.lost
    try:
        writer.finish({"valid": True, "padding": "x" * (1 << 20)})
    except ResultsIncomplete:
        pass
    else:
        raise AssertionError("a summary of 1 MiB went onto a full disk")
assert not (writer.folder / "summary.json").exists()
events = load_run(writer.folder).events
assert [event["t_ns"] for event in events] == list(range(kept)), "the kept lines are not whole"
print("kept", kept)
"""


@pytest.mark.namespace
def test_a_full_disk_ends_with_one_message_and_everything_before_it_readable(
    tmp_path: Path,
) -> None:
    flags = ["--mount"] if os.geteuid() == 0 else ["--user", "--map-root-user", "--mount"]
    probe = subprocess.run(["unshare", *flags, "true"], capture_output=True, check=False)
    if probe.returncode:
        pytest.skip(f"no mount namespace here: {probe.stderr.decode().strip()}")
    done = subprocess.run(
        ["unshare", *flags, sys.executable, "-c", FULL_DISK, str(tmp_path)],
        capture_output=True, check=False, text=True, cwd=Path(__file__).parents[2],
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert int(done.stdout.split()[1]) > 100


def test_an_error_of_the_disk_cuts_the_stream_back_to_its_last_whole_line(tmp_path: Path) -> None:
    """RLIMIT_FSIZE gives EFBIG in the middle of a write, without any special file system."""
    program = (
        "import resource, signal, sys\n"
        "from pathlib import Path\n"
        "from simulator.errors import ResultsIncomplete\n"
        "from tests.support.runs import RunBuilder\n"
        "writer = RunBuilder().planned([0]).write(Path(sys.argv[1]))\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (2500, 2500))\n"
        "try:\n"
        "    for t in range(9): writer.line('events', {'t_ns': t, 'event': 'x' * 1000})\n"
        "except ResultsIncomplete as error:\n"
        "    print(error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "r")],
        capture_output=True, check=True, text=True, cwd=Path(__file__).parents[2],
    )  # fmt: skip
    assert os.strerror(errno.EFBIG) in done.stdout
    [stream] = (tmp_path / "r").glob("by-hand/*/events.jsonl")
    assert [json.loads(line)["t_ns"] for line in stream.read_text().splitlines()] == [0, 1]


def test_a_run_that_is_discarded_was_never_there(tmp_path: Path) -> None:
    with RunBuilder().planned([0]).write(tmp_path) as writer:
        writer.line("events", {"t_ns": -1, "event": "began"})
        writer.discard()
    assert not writer.folder.exists()
    assert not (tmp_path / "latest").is_symlink()


def test_discarding_a_run_leaves_the_link_to_a_newer_one(tmp_path: Path) -> None:
    made = RunBuilder().planned([0])
    with made.write(tmp_path) as older, made.write(tmp_path) as newer:
        older.discard()
    assert (tmp_path / "latest").resolve() == newer.folder.resolve()


def test_a_balancers_own_configuration_is_kept_as_given(tmp_path: Path) -> None:
    with made(tmp_path / "r") as writer:
        writer.keep_template("bind @FRONT@ # é\n")
        kept = writer.folder / "balancer" / "template"
        assert kept.read_text(encoding="utf-8") == "bind @FRONT@ # é\n"
        kept.unlink()
        kept.mkdir()
        with pytest.raises(ResultsIncomplete):
            writer.keep_template("again")
