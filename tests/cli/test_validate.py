"""`portchurn validate` as a user calls it."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.support.command import SCENARIOS, portchurn, write_scenario
from tests.support.scenarios import SMALL

if TYPE_CHECKING:
    from pathlib import Path

FILES = sorted(SCENARIOS.glob("*.yaml"))


@pytest.fixture
def good(tmp_path: Path) -> Path:
    return write_scenario(tmp_path / "good.yaml", SMALL)


@pytest.fixture
def bad(tmp_path: Path) -> Path:
    return write_scenario(tmp_path / "bad.yaml", SMALL.replace("title", "tilte") + "seed: x\n")


def test_all_shipped_scenarios_are_valid() -> None:
    done = portchurn("validate", *FILES)
    assert (done.code, done.err) == (0, "")
    assert len(done.out.splitlines()) == len(FILES)


def test_every_error_of_every_file_is_shown_with_its_line(good: Path, bad: Path) -> None:
    done = portchurn("validate", bad, good)
    assert done.code == 2
    assert done.out == f"{good}: valid, 1 phase\n"
    assert done.err.splitlines() == [
        f"{bad}:1:1: title: is missing; give `title`: one line",
        "  1 | tilte: small",
        "    | ^",
        f"{bad}:1:1: tilte: is not a key here; did you mean title?",
        "  1 | tilte: small",
        "    | ^",
        f"{bad}:6:7: seed: must be a whole number, such as 4",
        "  6 | seed: x",
        "    |       ^",
    ]


def test_json_tells_each_error_apart(good: Path, bad: Path) -> None:
    done = portchurn("validate", "--output", "json", good, bad, "missing.yaml")
    assert done.code == 2
    first, second, third = done.json
    assert first == {"file": str(good), "valid": True, "errors": []}
    assert [(one["line"], one["column"], one["path"]) for one in second["errors"]] == [
        (1, 1, "title"),
        (1, 1, "tilte"),
        (6, 7, "seed"),
    ]
    assert (
        third["errors"][0]["message"] == "missing.yaml: cannot be read: No such file or directory"
    )


def test_flags_are_checked_too(good: Path) -> None:
    assert portchurn("validate", good, "--set", "backends.count=3").code == 0
    done = portchurn("validate", good, "--set", "backends.cuont=3")
    assert done.code == 2
    assert "did you mean count?" in done.err


def test_no_escape_of_a_hostile_file_reaches_the_terminal(tmp_path: Path) -> None:
    hostile = write_scenario(
        tmp_path / "h\x1b[31m.yaml", 'title: "\\e]0;owned\\a"\n"\\u202ekey": 1\n'
    )
    done = portchurn("validate", hostile)
    assert done.code == 2
    assert "\x1b" not in done.err
    assert "\u202e" not in done.err


def test_it_starts_without_numpy_and_aiohttp(good: Path) -> None:
    code = (
        "import sys; from simulator.cli.validate import command\n"
        "command.main(sys.argv[1:], standalone_mode=False)\n"
        "sys.exit(bool({'numpy', 'aiohttp', 'uvloop', 'rich'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code, str(good)], check=False, timeout=60)
    assert done.returncode == 0
