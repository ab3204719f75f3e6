"""The generator as a subject: its plan is carried out, and its records say what became of it."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

import numpy as np
import pytest

from simulator.bench.answering import serve
from simulator.bench.own_generator import drive, read_back, write_ledger
from simulator.kernel.sockets import open_listener
from tests.support.namespace import in_namespace

if TYPE_CHECKING:
    from pathlib import Path

COUNT = 600


def driven(folder: Path, per_s: float, *, is_served: bool) -> tuple[int, int, float]:
    listener = open_listener("127.3.0.1", 0, backlog=4_096)
    front = listener.getsockname()
    pid = os.fork()
    if pid == 0:
        serve(listener)
    listener.close()
    if not is_served:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    try:
        drive(folder, front, (), 20.0)
        return read_back(folder)
    finally:
        if is_served:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)


@pytest.mark.namespace
@pytest.mark.parametrize("per_s", [0.0, 3_000.0])
def test_every_connection_has_all_its_moments_in_order(per_s: float, tmp_path: Path) -> None:
    write_ledger(tmp_path, COUNT, per_s)
    well, badly, seconds = in_namespace(driven, tmp_path, per_s, is_served=True)
    assert (well, badly) == (COUNT, 0)
    assert seconds > (COUNT - 1) / per_s if per_s else seconds > 0
    rows = {path.stem: np.load(path) for path in (tmp_path / "connections").glob("*.npy")}
    due = np.load(tmp_path / "plan" / "due_ns.npy")
    assert (rows["sent_ns"] >= due).all()
    assert (rows["answers"] == 1).all()
    assert (rows["bytes_in"] == 64 + 12).all()  # the answer and its head
    assert len(set(rows["port"].tolist())) > COUNT / 2  # asked of the kernel, for each
    assert (rows["connect_call_ns"] > 0).all()


@pytest.mark.namespace
def test_a_refused_connection_is_no_connection_that_went_well(tmp_path: Path) -> None:
    write_ledger(tmp_path, 50, 0.0)
    well, badly, _ = in_namespace(driven, tmp_path, 0.0, is_served=False)
    assert (well, badly) == (0, 50)
