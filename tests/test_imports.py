"""The import contracts of pyproject.toml hold, and each of them can fail: a breach is planted."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


def lint(folder: Path) -> subprocess.CompletedProcess[str]:
    """Check the contracts on a copy of the project in this folder."""
    code = "import sys; from importlinter.cli import lint_imports_command as c; c(sys.argv[1:])"
    return subprocess.run(
        [sys.executable, "-c", code, "--no-cache", "--config", "pyproject.toml"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(folder), "NO_COLOR": "1", "COLUMNS": "200"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of the package and its contracts."""
    shutil.copytree(
        ROOT / "simulator", tmp_path / "simulator", ignore=shutil.ignore_patterns("__pycache__")
    )
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def test_the_contracts_hold(copy: Path) -> None:
    result = lint(copy)
    assert result.returncode == 0, result.stdout + result.stderr
    assert "0 broken" in result.stdout


@pytest.mark.parametrize(
    ("planted", "line", "contract"),
    [
        ("ports/range.py", "import simulator.cli", "Imports go down only"),
        ("scenario/schema.py", "import simulator.kernel.namespace", "Imports go down only"),
        ("traffic/planted.py", "import simulator.balancing", "Imports go down only"),
        ("theory/planted.py", "import asyncio", "Rules and records reach no socket"),
        ("experiment.py", "import subprocess", "Sockets and processes stay"),
        ("report/terminal.py", "import simulator.live", "Measurement, storage and reports"),
        ("cli/run.py", "import aiohttp", "HTTP servers, of backends and of metrics"),
    ],
)
def test_a_planted_breach_is_caught(copy: Path, planted: str, line: str, contract: str) -> None:
    target = copy / "simulator" / planted
    text = target.read_text() if target.exists() else ""
    target.write_text(f"{text}\n{line}\n")
    result = lint(copy)
    assert result.returncode == 1, result.stdout + result.stderr
    broken = [row for row in result.stdout.splitlines() if " BROKEN" in row]
    assert any(row.startswith(contract) for row in broken), result.stdout


def test_a_file_without_a_floor_is_caught(copy: Path) -> None:
    (copy / "simulator" / "utils.py").write_text('"""A drawer."""\n')
    result = lint(copy)
    assert result.returncode == 1, result.stdout + result.stderr
    assert "simulator.utils" in result.stdout
