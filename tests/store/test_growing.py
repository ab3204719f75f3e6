"""A run is read while it grows: whole lines once, counts as they are, and no foreign process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import numpy as np
import pytest

from simulator.errors import UsageError
from simulator.records import Outcome
from simulator.store import owner
from simulator.store.growing import GrowingRun, Tail
from tests.support.jobs import steady, write_job
from tests.support.runs import MS
from tests.support.stored import aborted, change_manifest, complete, running

if TYPE_CHECKING:
    from pathlib import Path


def test_each_whole_line_is_read_once_however_it_came(tmp_path: Path) -> None:
    path = tmp_path / "samples.jsonl"
    tail = Tail(path)
    assert tail.news() == []
    lines = [json.dumps({"t_ns": number, "text": "x" * number}) for number in range(50)]
    data = ("\n".join(lines) + "\n").encode()
    seen = []
    with path.open("ab", buffering=0) as file:
        for start in range(0, len(data), 37):
            file.write(data[start : start + 37])
            seen += tail.news()
    assert [one["t_ns"] for one in seen] == list(range(50))
    assert tail.news() == []
    tail.close()


def test_what_is_no_record_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    path.write_bytes(b'[1]\nnot json\n{"a":1}\n' + b"[" * 100_000 + b'\n{"b":2}\n{"torn":')
    tail = Tail(path)
    assert tail.news() == [{"a": 1}, {"b": 2}]
    tail.close()


def test_a_link_or_a_pipe_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "real").write_text('{"a":1}\n')
    (tmp_path / "link").symlink_to(tmp_path / "real")
    os.mkfifo(tmp_path / "pipe")
    assert Tail(tmp_path / "link").news() == []
    assert Tail(tmp_path / "pipe").news() == []


def test_outcomes_and_what_was_due_are_counted_as_they_are_now(tmp_path: Path) -> None:
    with write_job(tmp_path, steady()) as writer:
        run = GrowingRun(writer.folder)
        first = run.news()
        assert first.counts == {one.name: 60 * (one == Outcome.PLANNED) for one in Outcome}
        assert first.due == 1  # at the very start
        outcome = np.load(writer.folder / "connections" / "outcome.npy", mmap_mode="r+")
        outcome[:5], outcome[5:7] = Outcome.OK, Outcome.FAILED
        writer.line("samples", {"t_ns": 100 * MS, "hops": {}})
        run._count_after_ns = 0
        news = run.news()
        assert (news.counts["OK"], news.counts["FAILED"], news.counts["PLANNED"]) == (5, 2, 53)
        assert news.due == 11  # 100 a second
        assert [one["t_ns"] for one in news.samples] == [100 * MS]
        run.close()


def test_counting_takes_a_small_share_of_the_time(tmp_path: Path) -> None:
    clock = iter(range(0, 10**9, 10))
    with write_job(tmp_path, steady()) as writer:
        run = GrowingRun(writer.folder, now_ns=lambda: next(clock))
        counted = []
        for _ in range(100):
            before = run._count_after_ns
            run.news()
            counted.append(run._count_after_ns != before)
        assert 2 <= sum(counted) <= 100 / 19
        run.close()


def test_it_is_known_how_a_run_stands(tmp_path: Path) -> None:
    found = {
        status: GrowingRun(make(tmp_path / status)).status
        for status, make in (("running", running), ("aborted", aborted), ("complete", complete))
    }
    assert found == {status: status for status in found}
    with pytest.raises(UsageError):
        GrowingRun(tmp_path)


#: A process that writes into a folder, and says with which signal it was stopped.
WRITES = """
import signal, sys, time
def stop(*_):
    print("asked", flush=True)
    sys.exit()
signal.signal(signal.SIGINT, stop)
file = open(sys.argv[1], sys.argv[2])
print("ready", flush=True)
signal.pause()
"""


@pytest.mark.parametrize("mode", ["a", "r"])
def test_only_who_writes_the_run_is_asked_to_stop(tmp_path: Path, mode: str) -> None:
    folder = running(tmp_path)
    command = [sys.executable, "-c", WRITES, str(folder / "events.jsonl"), mode]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "ready\n"
        ticks = owner._start_ticks(other.pid)
        boot = owner.this_process().boot_id
        change_manifest(folder, owner={"pid": other.pid, "start_ticks": ticks, "boot_id": boot})
        run = GrowingRun(folder)
        said = run.ask_to_stop()
        if mode == "a":
            assert said.startswith("Stopping")
            assert other.stdout.read() == "asked\n"
        else:  # it was named by the folder, and has nothing to do with it
            assert "nothing was asked" in said
            assert other.poll() is None
            other.kill()
        other.wait()
        assert run.ask_to_stop() == "The run has ended."
        run.close()
