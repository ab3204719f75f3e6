"""The look-around must see what it is there to see, and both loops must really be used."""

from __future__ import annotations

import asyncio
import os
import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from simulator.kernel.leftovers import make_temp_folder

#: A planted test, run beside a copy of the project's own conftest.
PLANT = """
import pytest

kept = []

@pytest.mark.namespace
def test_planted_{name}():
    {body}
"""
#: name of a planted test -> (what it leaves behind, its only line)
LEFT = {
    "child": ("processes", "import subprocess; kept.append(subprocess.Popen(['sleep', '2']))"),
    # A grandchild that left the family: only the tag in its environment finds it.
    "orphan": ("processes", "import subprocess; subprocess.run(['setsid', '-f', 'sleep', '2'])"),
    "socket": ("descriptors", "import socket; kept.append(socket.socket())"),
    "folder": (
        "temp_files",
        "from simulator.kernel.leftovers import make_temp_folder; make_temp_folder()",
    ),
}


async def test_each_async_test_runs_on_both_loops(request: pytest.FixtureRequest) -> None:
    wanted = "uvloop" if "uvloop" in request.node.name else "asyncio"
    assert type(asyncio.get_running_loop()).__module__.split(".")[0] == wanted


def run_planted(folder: Path, bodies: dict[str, str]) -> tuple[int, str]:
    """Run tests with these bodies under our conftest, in a pytest of their own.

    Returns:
        Its exit code and what it printed.
    """
    conftest = (Path(__file__).parent / "conftest.py").read_text()
    assert "SETTLE_S = 5.0" in conftest
    (folder / "conftest.py").write_text(conftest.replace("SETTLE_S = 5.0", "SETTLE_S = 0.2"))
    for name, body in bodies.items():
        (folder / f"test_{name}.py").write_text(PLANT.format(name=name, body=body))
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    done = subprocess.run(
        [*command, "--asyncio-mode=auto", f"--rootdir={folder}", "-c", os.devnull, str(folder)],
        env={**os.environ, "TMPDIR": str(folder)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


def test_what_a_test_leaves_behind_fails_it(tmp_path: Path) -> None:
    code, out = run_planted(tmp_path, {name: body for name, (_, body) in LEFT.items()})
    assert code == 1, out
    for name in LEFT:
        assert f"ERROR at teardown of test_planted_{name}" in out
    told = re.findall(r"^E +(\w+) left behind", out, re.MULTILINE)
    assert sorted(told) == sorted(what for what, _ in LEFT.values()), out


def test_a_tidy_test_passes_the_look_around(tmp_path: Path) -> None:
    code, out = run_planted(tmp_path, {"tidy": "import socket; socket.socket().close()"})
    assert code == 0, out


@pytest.mark.usefixtures("assert_clean")
def test_what_is_opened_and_closed_is_not_held_against_a_test() -> None:
    socket.socket().close()
    make_temp_folder().rmdir()
