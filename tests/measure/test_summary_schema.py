"""The published schema of summaries: current, a schema indeed, and true of real summaries."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from simulator.measure.summary import summarize
from simulator.measure.summary_schema import summary_schema
from simulator.records import Call, Ending
from tests.support.command import run_json, write_scenario
from tests.support.runs import MS, RunBuilder, S, hop_sample, scenario
from tests.support.stored import hand_made

ROOT = Path(__file__).parent.parent.parent
VALIDATOR = jsonschema.Draft202012Validator(summary_schema())


def unknown(value: Any, node: dict[str, Any], path: str = "") -> list[str]:  # noqa: ANN401 - JSON
    """Paths of fields that a summary has and the schema does not name."""
    if isinstance(value, list):
        return [one for item in value for one in unknown(item, node.get("items", {}), f"{path}[]")]
    named = node.get("properties")
    if not isinstance(value, dict) or named is None:
        return []
    found = [f"{path}.{key}" for key in value if key not in named]
    for key in set(value) & set(named):
        found += unknown(value[key], named[key], f"{path}.{key}")
    return found


def check(summary: dict[str, Any]) -> None:
    as_stored = json.loads(json.dumps(summary, allow_nan=False))
    assert [f"{e.json_path}: {e.message}" for e in VALIDATOR.iter_errors(as_stored)] == []
    assert unknown(as_stored, summary_schema()) == [], (
        "describe it in measure/summary_schema.py and run: make docs"
    )


def test_the_schema_in_docs_is_current() -> None:
    written = json.loads((ROOT / "docs" / "summary.schema.json").read_text())
    assert written == summary_schema(), (
        "run: python -m simulator.measure.summary_schema > docs/summary.schema.json"
    )


def test_it_is_a_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(summary_schema())


@pytest.mark.parametrize("driver", ["own", "none"])
def test_it_is_true_of_a_summary_with_everything_in_it(tmp_path: Path, driver: str) -> None:
    made = RunBuilder(
        scenario=scenario(balancer={"driver": driver}, thresholds=["ok > 1", "connect.p999 < 1s"])
    )
    made.planned([i * 10 * MS for i in range(100)]).started()
    for row in range(90):
        made.ok(row, backend=0 if driver == "none" else -1)
        made.dial(row * 10 * MS, port=50_000 + row % 7)
    for row in range(90, 100):
        made.failed(row, Call.RECV, Ending.EOF)
    hops = ("client-balancer", "balancer-backend", "client-backend")
    made.sample(S // 2, {hop: hop_sample(1000, established=3, time_wait=5) for hop in hops})
    made.lease(0, 40_001).event("backend-left", S // 2, backend=0, how="crash")
    made.event("role-lost", S, role="client", index=0, code=-9)
    check(summarize(made.run(tmp_path)))


def test_it_is_true_of_runs_with_next_to_nothing_in_them(tmp_path: Path) -> None:
    check(summarize(RunBuilder().planned([]).run(tmp_path / "a")))
    check(summarize(hand_made().run(tmp_path / "b")))


@pytest.mark.namespace
def test_it_is_true_of_a_real_run(tmp_path: Path) -> None:
    text = (
        "title: real\nkernel: {port_range: 50000-50049, time_wait: 500ms}\n"
        "backends: {count: 2, ports: random, range: 20000-29999}\n"
        "traffic: [{name: a, for: 1s, arrivals: {constant: 300/s}}]\n"
    )
    path = write_scenario(tmp_path / "real.yaml", text)
    _, (summary,) = run_json(path, "--results", tmp_path / "results")
    del summary["path"]  # added for the reader of the command's output
    check(summary)


@pytest.mark.parametrize("field", ["verdict", "attempts", "hops"])
def test_it_sees_what_is_missing_or_wrong(tmp_path: Path, field: str) -> None:
    summary = summarize(hand_made().run(tmp_path))
    broken: dict[str, Any] = copy.deepcopy(summary)
    del broken[field]
    assert not VALIDATOR.is_valid(broken)
    assert not VALIDATOR.is_valid({**summary, field: "text"})
