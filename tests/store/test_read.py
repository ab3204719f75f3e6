"""Reading runs: whole, torn by a kill, damaged, hostile; and finding them by name."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from simulator.errors import ResultsIncomplete, UsageError
from simulator.records import CONNECTION_COLUMNS, DIAL_COLUMNS
from simulator.store.read import (
    column_map,
    entry,
    list_runs,
    load_run,
    read_summary,
    resolve,
)
from tests.support.runs import MS, RunBuilder, scenario


def two_planned() -> RunBuilder:
    """Two planned connections, one of them done, and two dials."""
    return RunBuilder().planned([0, MS]).ok(0).dial(5).dial(7, backend=3).event("started", 0)


def stored(root: Path, *, complete: bool = True, builder: RunBuilder | None = None) -> Path:
    """A run on disk whose owner still lives."""
    with (builder or two_planned()).write(root) as writer:
        if complete:
            writer.finish({"verdict": {"code": "ok", "sentence": "fine"}, "valid": True})
    return writer.folder


def test_what_was_written_is_read_back(tmp_path: Path) -> None:
    builder = two_planned()
    builder.scenario = scenario(seed=99, balancer={"source": {"ports": "userspace"}})
    run = load_run(stored(tmp_path, builder=builder))
    assert run.scenario == builder.scenario
    assert run.plan["due_ns"].tolist() == [0, MS]
    assert run.connections["connected_ns"].tolist() == [MS, -1]
    assert run.dials["t_ns"].tolist() == [5, 7]
    assert run.dials["backend"].tolist() == [0, 3]
    assert run.refusals["t_ns"].tolist() == []
    assert [event["event"] for event in run.events] == ["started"]
    assert run.manifest["environment"] == {"kernel": "test"}


def test_several_processes_may_write_in_place(tmp_path: Path) -> None:
    folder = stored(tmp_path)
    columns = column_map(folder)
    assert {name: column.dtype for name, column in columns.items()} == CONNECTION_COLUMNS
    path, offset, dtype, rows = columns["port"]
    mapped = np.memmap(path, dtype=dtype, mode="r+", offset=offset, shape=(rows,))
    mapped[1] = 51_000
    assert load_run(folder).connections["port"].tolist() == [49_152, 51_000]


def test_torn_ends_are_left_out(tmp_path: Path) -> None:
    folder = stored(tmp_path, complete=False)
    with (folder / "events.jsonl").open("ab") as file:
        file.write(b'{"t_ns": 5, "eve')
    with (folder / "dials-0.bin").open("ab") as file:
        file.write(b"\1" * (8 * len(DIAL_COLUMNS) - 1))
    run = load_run(folder)
    assert len(run.events) == 1
    assert len(run.dials["t_ns"]) == 2


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30)
@given(cut=st.integers(0, 200))
def test_a_stream_cut_anywhere_gives_the_whole_lines_before_the_cut(
    tmp_path: Path, cut: int
) -> None:
    folder = next(iter(tmp_path.glob("by-hand/*-*")), None) or stored(tmp_path, complete=False)
    lines = [json.dumps({"t_ns": t}).encode() + b"\n" for t in range(20)]
    text = b"".join(lines)[:cut]
    (folder / "samples.jsonl").write_bytes(text)
    assert [line["t_ns"] for line in load_run(folder).samples] == list(range(text.count(b"\n")))


def test_lines_of_several_roles_come_in_time_order(tmp_path: Path) -> None:
    builder = RunBuilder().planned([]).tick(9, "client").tick(3, "balancer")
    assert [tick["t_ns"] for tick in builder.run(tmp_path).roles] == [3, 9]


def test_a_damaged_line_in_the_middle_is_named_with_its_number(tmp_path: Path) -> None:
    folder = stored(tmp_path)
    (folder / "roles.jsonl").write_bytes(b'{"t_ns": 1}\nnot json\n{"t_ns": 2}\n')
    with pytest.raises(ResultsIncomplete, match=r"roles\.jsonl:2 is damaged"):
        load_run(folder)


def damage_rows(folder: Path) -> None:
    path = folder / "connections" / "port.npy"
    path.write_bytes(path.read_bytes()[:-1])


def damage_type(folder: Path) -> None:
    np.save(folder / "connections" / "port.npy", np.zeros(2, dtype="<f8"))


def damage_pickle(folder: Path) -> None:
    path = folder / "connections" / "port.npy"
    np.save(path, np.array([{"a": 1}, None], dtype=object), allow_pickle=True)


def damage_length(folder: Path) -> None:
    np.save(folder / "connections" / "port.npy", np.zeros(3, dtype="<i4"))


def damage_header(folder: Path) -> None:
    path = folder / "connections" / "port.npy"
    path.write_bytes(b"\x93NUMPY\x01\x00\xff\xff" + b"(" * 70_000)


def damage_missing(folder: Path) -> None:
    (folder / "plan" / "due_ns.npy").unlink()


def damage_link(folder: Path) -> None:
    path = folder / "connections" / "port.npy"
    path.rename(folder / "moved.npy")
    path.symlink_to(folder / "moved.npy")


def damage_pipe(folder: Path) -> None:
    (folder / "connections" / "port.npy").unlink()
    os.mkfifo(folder / "connections" / "port.npy")


def damage_nesting(folder: Path) -> None:
    (folder / "events.jsonl").write_bytes(b"[" * 100_000 + b"\n")


@pytest.mark.parametrize(
    "damage",
    [
        damage_rows, damage_type, damage_pickle, damage_length, damage_header, damage_missing,
        damage_link, damage_pipe, damage_nesting,
    ],
)  # fmt: skip
def test_a_damaged_run_is_refused_by_name_and_never_run_as_code(
    tmp_path: Path,
    damage: Any,  # noqa: ANN401 - one of the functions above
) -> None:
    folder = stored(tmp_path)
    damage(folder)
    with pytest.raises(ResultsIncomplete):
        load_run(folder)


@pytest.mark.parametrize("rows", [-1, 10**12, "many", None])
def test_a_manifest_cannot_ask_for_memory(tmp_path: Path, rows: object) -> None:
    folder = stored(tmp_path)
    manifest = json.loads((folder / "manifest.json").read_text())
    (folder / "manifest.json").write_text(json.dumps(manifest | {"connections": rows}))
    with pytest.raises(ResultsIncomplete, match="connections is"):
        load_run(folder)


def test_other_schemas_and_scenarios_are_told_apart_from_damage(tmp_path: Path) -> None:
    folder = stored(tmp_path)
    manifest = json.loads((folder / "manifest.json").read_text())
    (folder / "manifest.json").write_text(json.dumps(manifest | {"schema": "portchurn.run/9"}))
    with pytest.raises(UsageError, match="version reads"):
        load_run(folder)
    other = manifest | {"scenario_resolved": {"title": "t", "colour": "red"}}
    (folder / "manifest.json").write_text(json.dumps(other))
    with pytest.raises(UsageError, match="does not know"):
        load_run(folder)
    with pytest.raises(UsageError, match="is not a run"):
        load_run(tmp_path)


def test_status_is_complete_running_or_aborted(tmp_path: Path) -> None:
    assert entry(stored(tmp_path)).status == "complete"
    folder = stored(tmp_path, complete=False)
    assert entry(folder).status == "running"
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["owner"]["start_ticks"] += 1
    (folder / "manifest.json").write_text(json.dumps(manifest))
    assert entry(folder).status == "aborted"
    (folder / "manifest.json").write_text("{")
    assert entry(folder).status == "unreadable"


def test_a_killed_writer_leaves_an_aborted_run_with_all_it_wrote(tmp_path: Path) -> None:
    program = (
        "import sys\n"
        "from pathlib import Path\n"
        "from tests.support.runs import RunBuilder\n"
        "writer = RunBuilder().planned([0]).write(Path(sys.argv[1]))\n"
        "for t in range(50): writer.line('samples', {'t_ns': t})\n"
        "print(writer.folder, flush=True)\n"
        "sys.stdin.read()\n"
    )
    child = subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path / "r")],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2],
    )  # fmt: skip
    with child:
        assert child.stdout is not None
        folder = Path(child.stdout.readline().strip())
        assert entry(folder).status == "running"
        child.send_signal(signal.SIGKILL)
    assert entry(folder).status == "aborted"
    assert len(load_run(folder).samples) == 50
    assert read_summary(folder) is None


def test_runs_are_listed_newest_first_with_their_verdict(tmp_path: Path) -> None:
    folders = [stored(tmp_path), stored(tmp_path, complete=False)]
    found = list_runs(tmp_path)
    assert [one.path for one in found] == folders[::-1]
    assert (found[1].verdict, found[1].sentence, found[1].valid) == ("ok", "fine", True)
    assert (found[0].verdict, found[0].valid) == ("", None)
    assert list_runs(tmp_path / "missing") == []


def test_what_is_no_run_is_not_listed(tmp_path: Path) -> None:
    folder = stored(tmp_path)
    (tmp_path / "Notes").mkdir()
    (tmp_path / "by-hand" / "notes").mkdir()
    (tmp_path / "linked").symlink_to(folder.parent)
    assert [one.path for one in list_runs(tmp_path)] == [folder]


def test_a_run_is_found_by_each_of_its_names(tmp_path: Path) -> None:
    first, second = stored(tmp_path), stored(tmp_path)
    assert resolve(tmp_path, "latest") == second
    assert resolve(tmp_path, "by-hand") == second
    assert resolve(tmp_path, first.name) == first
    assert resolve(tmp_path, str(first)) == first


def test_latest_works_without_its_link_and_never_leaves_the_root(tmp_path: Path) -> None:
    folder = stored(tmp_path / "r")
    (tmp_path / "r" / "latest").unlink()
    assert resolve(tmp_path / "r", "latest") == folder
    (tmp_path / "outside").mkdir()
    (tmp_path / "r" / "latest").symlink_to(tmp_path / "outside")
    assert resolve(tmp_path / "r", "latest") == folder


def test_an_unknown_name_is_answered_with_the_nearest(tmp_path: Path) -> None:
    stored(tmp_path)
    with pytest.raises(UsageError, match="did you mean by-hand"):
        resolve(tmp_path, "by-hnad")
    with pytest.raises(UsageError, match="portchurn list"):
        resolve(tmp_path, "zzz")
    with pytest.raises(UsageError, match="portchurn run"):
        resolve(tmp_path / "empty", "latest")
