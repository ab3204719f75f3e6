"""Rights: none are needed where the kernel allows user namespaces, and root's are given up."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

import simulator
from simulator.store.read import load_run
from tests.support.command import SCENARIOS

pytestmark = pytest.mark.namespace

NOBODY = 65534
SHORT = ("run", str(SCENARIOS / "late-bind.yaml"), "--variant", "late", "--quiet")
#: Maps all of the host's users into a user namespace and forbids further ones in there, then runs
#: the rest of its arguments as that namespace's root: what real root meets where user namespaces
#: are switched off.
WITHOUT_USER_NAMESPACES = """
import ctypes, os, sys
libc = ctypes.CDLL(None, use_errno=True)
made, mapped = os.pipe(), os.pipe()
child = os.fork()
if child == 0:
    assert libc.unshare(0x10000000) == 0
    os.write(made[1], b"x")
    os.read(mapped[0], 1)
    os.setresgid(0, 0, 0)
    os.setresuid(0, 0, 0)
    open("/proc/sys/user/max_user_namespaces", "w").write("0")
    os.execv(sys.argv[1], sys.argv[1:])
os.read(made[0], 1)
for name in ("uid_map", "gid_map"):
    open(f"/proc/{child}/{name}", "w").write("0 0 65536")
os.write(mapped[1], b"x")
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


def finish(command: list[str], uid: int | None = None) -> subprocess.CompletedProcess[str]:
    """Run a command to its end, as another user when one is given."""
    return subprocess.run(
        command,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        user=uid,
        group=uid,
        extra_groups=None if uid is None else [],
    )


def mode_of(results: Path) -> str:
    run = load_run((results / "latest").resolve())
    (started,) = [event for event in run.events if event["event"] == "started"]
    return str(started["mode"])


def readable_by_all(path: Path) -> bool:
    """Whether an ordinary user may reach and read a file."""
    above = all(folder.stat().st_mode & stat.S_IXOTH for folder in path.parents)
    return above and bool(path.stat().st_mode & stat.S_IROTH)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can see what root does")
def test_root_without_user_namespaces_runs_and_gives_its_rights_up(tmp_path: Path) -> None:
    done = finish(
        [
            *(sys.executable, "-c", WITHOUT_USER_NAMESPACES, sys.executable),
            *("-m", "simulator", *SHORT, "--results", str(tmp_path / "results")),
        ]
    )
    assert done.returncode == 0, done.stderr
    assert mode_of(tmp_path / "results") == "root"


def test_the_default_needs_no_rights(tmp_path: Path) -> None:
    """As root this drops to nobody first; as anybody else it is simply the run."""
    uid = None
    if os.geteuid() == 0:
        files = [Path(sys.executable).resolve(), Path(simulator.__file__), Path(os.__file__)]
        if not all(map(readable_by_all, files)):
            pytest.skip("Python or the package lies in a folder that only root can read")
        os.chown(tmp_path, NOBODY, NOBODY)
        if not all(folder.stat().st_mode & stat.S_IXOTH for folder in tmp_path.parents):
            pytest.skip("the temporary folder lies in one that only root can enter")
        uid = NOBODY
    done = finish(
        [sys.executable, "-m", "simulator", *SHORT, "--results", str(tmp_path / "results")],
        uid,
    )
    assert done.returncode == 0, done.stderr
    assert mode_of(tmp_path / "results") == "user"
