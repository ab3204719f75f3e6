"""Leftovers are told from what is alive, by pid and start time; only leftovers are ended."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from simulator.kernel import leftovers
from simulator.kernel.namespace import is_alive, start_ticks

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SLEEP = [sys.executable, "-c", "print('up', flush=True); import time; time.sleep(60)"]


def dead_owner() -> tuple[int, int]:
    """Pid and start ticks of a process that has ended."""
    process = subprocess.Popen(SLEEP, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    process.stdout.readline()
    ticks = start_ticks(process.pid)
    process.kill()
    process.communicate()
    return process.pid, ticks


@contextmanager
def tagged(tag: str) -> Iterator[subprocess.Popen[str]]:
    """A running process that carries a run's tag."""
    process = subprocess.Popen(
        SLEEP, env={**os.environ, leftovers.RUN_VARIABLE: tag}, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    process.stdout.readline()
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def found_pids() -> list[int]:
    """Pids of what is held to be left over."""
    return [process.pid for process in leftovers.left_processes()]


def test_a_process_of_a_dead_owner_is_left_over_and_is_ended() -> None:
    pid, ticks = dead_owner()
    with tagged(f"20260101-120000-abcd:{pid}:{ticks}") as process:
        (left,) = [one for one in leftovers.left_processes() if one.pid == process.pid]
        assert left.run_id == "20260101-120000-abcd"
        assert leftovers.end_process(left)
        assert process.wait(timeout=10) == -9
        assert not leftovers.end_process(left)


def test_a_process_of_a_living_owner_is_untouched() -> None:
    with tagged(leftovers.run_tag("20260101-120000-abcd")) as process:
        assert process.pid not in found_pids()


def test_an_owner_whose_pid_was_used_again_is_dead() -> None:
    """Our own pid with another start time: the process that had it before us."""
    with tagged(f"run:{os.getpid()}:{start_ticks(os.getpid()) - 1}") as process:
        assert process.pid in found_pids()


@pytest.mark.parametrize("tag", ["", "run", "run:1", "run:x:y", "../run:1:1", "a b:1:1", "r:1:1:1"])
def test_a_tag_that_is_not_ours_is_left_alone(tag: str) -> None:
    with tagged(tag) as process:
        assert process.pid not in found_pids()


def test_a_process_that_took_over_a_pid_is_not_ended() -> None:
    with tagged(leftovers.run_tag("run")) as process:
        mistaken = leftovers.LeftProcess(
            pid=process.pid, ticks=start_ticks(process.pid) - 1, run_id="run", command="x"
        )
        assert not leftovers.end_process(mistaken)
        assert is_alive(process.pid, start_ticks(process.pid))


def test_folders_of_dead_owners_are_left_over_and_others_are_not(tmp_path: Path) -> None:
    pid, ticks = dead_owner()
    mine = f"portchurn-{os.getpid()}-{start_ticks(os.getpid())}-abc"
    dead = f"portchurn-{pid}-{ticks}-abc"
    for name in (dead, mine, "portchurn-notes", "other", f"x{dead}"):
        (tmp_path / name).mkdir()
    target = tmp_path / "target"
    target.mkdir()
    (target / "precious").write_text("kept")
    (tmp_path / dead / "link").symlink_to(target)
    (tmp_path / f"portchurn-{pid}-{ticks}-link").symlink_to(target)
    (tmp_path / f"portchurn-{pid}-{ticks}-file").write_text("")
    (left,) = leftovers.left_folders(tmp_path)
    assert (left.path, left.owner_pid) == (tmp_path / dead, pid)
    leftovers.remove_folder(left)
    assert not (tmp_path / dead).exists()
    assert (target / "precious").read_text() == "kept"
    assert (tmp_path / mine).is_dir()


def test_a_new_folder_names_its_owner_and_is_private() -> None:
    folder = leftovers.make_temp_folder()
    try:
        assert folder.name.startswith(f"portchurn-{os.getpid()}-{start_ticks(os.getpid())}-")
        assert folder.stat().st_mode & 0o777 == 0o700
        assert folder not in [left.path for left in leftovers.left_folders(folder.parent)]
    finally:
        folder.rmdir()
