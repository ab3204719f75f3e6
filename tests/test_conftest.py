"""The look-around must see what it is there to see, and both loops must really be used."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from simulator.kernel.leftovers import make_temp_folder

#: One planted test, run beside a copy of the project's own conftest.
PLANT = """
import pytest

kept = []

@pytest.mark.namespace
def test_planted():
    {body}
"""


async def test_each_async_test_runs_on_both_loops(request: pytest.FixtureRequest) -> None:
    wanted = "uvloop" if "uvloop" in request.node.name else "asyncio"
    assert type(asyncio.get_running_loop()).__module__.split(".")[0] == wanted


def run_planted(tmp_path: Path, body: str) -> subprocess.CompletedProcess[str]:
    """Run a test with this body under our conftest, in a pytest of its own."""
    conftest = (Path(__file__).parent / "conftest.py").read_text()
    assert "SETTLE_S = 5.0" in conftest
    (tmp_path / "conftest.py").write_text(conftest.replace("SETTLE_S = 5.0", "SETTLE_S = 0.2"))
    planted = tmp_path / "test_planted.py"
    planted.write_text(PLANT.format(body=body))
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    return subprocess.run(
        [*command, "--asyncio-mode=auto", f"--rootdir={tmp_path}", "-c", os.devnull, str(planted)],
        env={**os.environ, "TMPDIR": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize(
    ("what", "body"),
    [
        ("processes", "import subprocess; kept.append(subprocess.Popen(['sleep', '2']))"),
        # A grandchild that left the family: only the tag in its environment finds it.
        ("processes", "import subprocess; subprocess.run(['setsid', '-f', 'sleep', '2'])"),
        ("descriptors", "import socket; kept.append(socket.socket())"),
        (
            "temp_files",
            "from simulator.kernel.leftovers import make_temp_folder; make_temp_folder()",
        ),
    ],
)
def test_what_a_test_leaves_behind_fails_it(what: str, body: str, tmp_path: Path) -> None:
    result = run_planted(tmp_path, body)
    assert result.returncode == 1, result.stdout + result.stderr
    assert f"{what} left behind" in result.stdout


def test_a_tidy_test_passes_the_look_around(tmp_path: Path) -> None:
    result = run_planted(tmp_path, "import socket; socket.socket().close()")
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.usefixtures("assert_clean")
def test_what_is_opened_and_closed_is_not_held_against_a_test() -> None:
    socket.socket().close()
    make_temp_folder().rmdir()
