"""`portchurn bench start`: from the command to its help, its answer, its first connection.

Each is a new Python, as somebody types it. The first connection is seen from outside: this process
maps the run's ledger as soon as it exists and looks for the moment at which the first row says that
its connection was opened. The clock runs from before the process is started.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path
from time import perf_counter, sleep
from typing import Final

from simulator import __version__
from simulator.bench.spec import Bench, Given, Values
from simulator.errors import RunFailed

_SCENARIO: Final = """\
title: One connection
seed: 1
kernel: { port_range: 10000-39999 }
backends: { count: 1 }
traffic: [{ name: one, for: 100ms, arrivals: { constant: 20/s } }]
"""
_LONGEST_S: Final = 20.0
_LOOK_S: Final = 0.001
_BYTES_OF_A_MOMENT: Final = 8

BENCH: Final = Bench(
    name="start",
    question="How long from the command to its first connection?",
    units={
        "python": "s",
        "help": "s",
        "validate": "s",
        "explain": "s",
        "first-connection": "s",
        "whole-run": "s",
        "errors": "commands",
    },
    versions=lambda: {"own": __version__},
    wanted=("--help within 0.15 s", "the first connection within 1.0 s"),
)


def measure(subject: str, _options: Given) -> Values:
    """Each command once."""
    with tempfile.TemporaryDirectory(prefix="portchurn-bench-") as name:
        folder = Path(name)
        file = folder / "one.yaml"
        file.write_text(_SCENARIO)
        first_s, whole_s, code = _first_connection(folder, file)
        asked = {
            "python": [sys.executable, "-c", "pass"],
            "help": _portchurn("--help"),
            "validate": _portchurn("validate", str(file)),
            "explain": _portchurn("explain", str(file)),
        }
        values: Values = {}
        failed = int(code != 0)
        for metric, command in asked.items():
            values[metric], broken = _timed(command)
            failed += broken
    return {**values, "first-connection": first_s, "whole-run": whole_s, "errors": failed}


def _portchurn(*words: str) -> list[str]:
    return [sys.executable, "-m", "simulator", *words]


def _timed(command: list[str]) -> tuple[float, bool]:
    """Seconds that a command takes, and whether it failed."""
    began = perf_counter()
    done = subprocess.run(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False
    )
    return perf_counter() - began, done.returncode != 0


def _first_connection(folder: Path, file: Path) -> tuple[float, float, int]:
    """Seconds until the first connection and until the end, and the run's exit code.

    Raises:
        RunFailed: there was none in time.
    """
    results = folder / "results"
    began = perf_counter()
    with subprocess.Popen(
        [*_portchurn("run", str(file), "--quiet", "--results", str(results))],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as run:
        try:
            first_s = _seen(results, began) - began
            return first_s, _ended(run) - began, run.returncode
        finally:
            run.kill()


def _ended(run: subprocess.Popen[bytes]) -> float:
    run.wait(_LONGEST_S)
    return perf_counter()


def _seen(results: Path, began: float) -> float:
    """The moment at which the first row has been written."""
    while perf_counter() < began + _LONGEST_S:
        for column in results.glob("*/*/connections/sent_ns.npy"):
            if _is_written(column):
                return perf_counter()
        sleep(_LOOK_S)
    raise RunFailed("the run opened no connection")


def _is_written(column: Path) -> bool:
    """Whether the last row of a column is no longer -1: it is the first there is."""
    data = column.read_bytes()
    rows = data[-2 * _BYTES_OF_A_MOMENT :]
    if len(rows) < 2 * _BYTES_OF_A_MOMENT or rows.startswith(b"\x93NUMPY"):
        return False
    first = int.from_bytes(rows[:_BYTES_OF_A_MOMENT], "little", signed=True)
    return first > 0
