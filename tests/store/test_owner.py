"""The owner of a run: alive means this very process, not one that got its number later."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

from simulator.store.owner import is_alive, this_process


def test_this_process_is_alive_until_anything_in_its_name_differs() -> None:
    me = this_process().as_dict()
    assert me["pid"] == os.getpid()
    assert is_alive(me)
    assert not is_alive(me | {"start_ticks": me["start_ticks"] + 1})
    assert not is_alive(me | {"boot_id": "of another boot"})
    assert not is_alive(me | {"pid": "7"})
    assert not is_alive(me | {"pid": -1})
    assert not is_alive({})


def test_a_killed_process_is_dead_even_before_it_is_reaped() -> None:
    program = "import sys; print('up', flush=True); sys.stdin.read()"
    child = subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    with child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"up\n"
        ticks = int(_stat(child.pid).rpartition(")")[2].split()[19])
        name = this_process().as_dict() | {"pid": child.pid, "start_ticks": ticks}
        assert is_alive(name)
        child.send_signal(signal.SIGKILL)
        # waitid leaves the zombie in place, which is the case in question
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        assert not is_alive(name)
    assert not is_alive(name)


def _stat(pid: int) -> str:
    with open(f"/proc/{pid}/stat", encoding="utf-8") as file:  # noqa: PTH123 - procfs
        return file.read()
