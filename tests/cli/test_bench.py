"""`portchurn bench relay`, as typed."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from simulator.bench import haproxy

if TYPE_CHECKING:
    from pathlib import Path


def portchurn(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "simulator", *words],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.mark.namespace
@pytest.mark.slow
def test_json_is_one_row_for_each_subject_and_metric(tmp_path: Path) -> None:
    words = ["--rounds", "1", "--seconds", "0.2", "--at-once", "16", "--output", "json"]
    words += ["--workload", "close", "--workload", "keepalive", "--results", str(tmp_path)]
    done = portchurn("bench", "relay", *words)
    assert done.returncode == 0, done.stderr
    rows: list[dict[str, Any]] = [json.loads(line) for line in done.stdout.splitlines()]
    keys = {(row["bench"], row["subject"], row["metric"], row["against"]) for row in rows}
    # Two workloads, five subjects, five metrics, against two bases.
    assert len(keys) == len(rows) == 2 * 5 * 5 * 2
    names = "bench subject version metric unit median low high n against ratio ratio_low ratio_high"
    assert all(list(row) == names.split() for row in rows)
    own = next(row for row in rows if (row["subject"], row["metric"]) == ("own", "cpu"))
    assert own["low"] <= own["median"] <= own["high"]
    assert (own["ratio"] is None) == (haproxy.find() is None)


def test_a_wrong_option_is_a_usage_error() -> None:
    assert portchurn("bench", "relay", "--rounds", "0").returncode == 2
    assert portchurn("bench", "rellay").returncode == 2


def test_the_model_is_measured_on_a_task_that_it_shares_with_others() -> None:
    done = portchurn(
        "bench", "model", "--connections", "500000", "--rounds", "1", "--output", "json"
    )
    assert done.returncode == 0, done.stderr
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert {row["name"] for row in rows} >= {"numpy", "arrays", "events"}
    assert all(row["same"] > 0.999 and row["whole_per_s"] > 0 for row in rows)
