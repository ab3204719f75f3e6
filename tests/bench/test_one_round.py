"""A round as a process: one line of JSON, or a traceback and a code."""

from __future__ import annotations

import json
import subprocess
import sys


def ask(**given: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "simulator.bench.one_round", json.dumps(given)],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


def test_what_is_not_a_bench_is_an_error_on_stderr() -> None:
    done = ask(bench="nothing", subject="own", options={})
    assert done.returncode != 0
    assert done.stdout == ""
    assert "no bench is called nothing" in done.stderr
