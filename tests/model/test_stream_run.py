"""A run in parts says what the same run with rows says, in every number that needs no row."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest

from simulator.errors import Refused
from simulator.experiment import answer, questions
from simulator.measure.series import time_series
from simulator.model.engine import ModelEngine
from simulator.model.stream_run import StreamRun, cannot_stream, is_streamed
from simulator.store.read import load_run
from simulator.traffic import stream
from tests.measure.test_summary_schema import check
from tests.support.jobs import Watcher
from tests.support.scenarios import loaded

if TYPE_CHECKING:
    from pathlib import Path

    from simulator.experiment import Answer

WALL = """\
title: a wall in parts
seed: 3
kernel: {port_range: 50000-50099, time_wait: 500ms}
backends: {count: 3, ports: random, range: 20000-29999, service_time: {exponential: 20ms}}
balancer: {driver: none, close: client}
clients: {source: {addresses: 2, ports: kernel}}
traffic:
  - {name: warm, for: 1s, warmup: true, arrivals: {poisson: 600/s}}
  - name: full
    for: 8s
    arrivals: {poisson: {from: 600/s, to: 1500/s}}
    lifetime: {exponential: 50ms}
  - {name: quiet, for: 2s, arrivals: {constant: 101/s}, requests: 0, lifetime: 3s}
grace: 1s
"""
SAME = ["attempts", "latency_ns", "rates_per_s", "phases", "connections", "backends", "doubts"]


def run(
    root: Path, *changes: str, text: str = WALL, compiled: bool = True, watch: Watcher | None = None
) -> Answer:
    [question] = questions(loaded(text, *changes))
    engine = ModelEngine(arrays=True, compiled=compiled)
    return asyncio.run(answer(question, engine, watch or Watcher(), root, ["test"]))


def without_ports(samples: list[Any]) -> list[Any]:
    """Samples as counts alone know them: a run in parts keeps no port."""
    for sample in samples:
        for hop in sample["hops"].values():
            hop.pop("ports", None)
    return samples


def lines(found: Answer, name: str) -> list[Any]:
    return [json.loads(one) for one in (found.folder / f"{name}.jsonl").read_text().splitlines()]


@pytest.fixture
def in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every plan is too long to be kept."""
    monkeypatch.setattr(stream, "MAX_CONNECTIONS", 0)


@pytest.mark.parametrize(
    "changes",
    [
        (),
        ("kernel.time_wait=517ms",),  # no whole number of samples
        ("clients.source.ports=early-bind", "backends.count=2", "clients.timeout=1h"),
        ("traffic.full.lifetime=30ms", "backends.service_time=0ms", "grace=3050ms"),
    ],
)
def test_counts_and_samples_are_those_of_rows(
    changes: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = run(tmp_path, *changes)
    monkeypatch.setattr(stream, "MAX_CONNECTIONS", 0)
    parts = run(tmp_path, *changes)
    arrays = run(tmp_path, *changes, compiled=False)
    assert whole.summary["model"]["path"] == "stretches"
    assert arrays.summary["model"]["path"] == "streamed"
    assert whole.summary["attempts"]["failed"] > 50
    for found in (parts, arrays):
        for name in ("roles", "leases"):
            assert lines(found, name) == lines(whole, name), name
        assert lines(found, "samples") == without_ports(lines(whole, "samples"))
        for key in SAME:
            assert found.summary[key] == whole.summary[key], key
        assert found.summary["verdict"] == whole.summary["verdict"]
        for one, other in zip(found.summary["hops"], whole.summary["hops"], strict=True):
            assert {**one, "port_use": None} == {**other, "port_use": None}
            assert one["port_use"]["unknown"] == whole.summary["connections"]["opened"]
    assert lines(parts, "folded") == lines(arrays, "folded")


@pytest.mark.usefixtures("in_parts")
def test_the_run_over_time_adds_up(tmp_path: Path) -> None:
    found = run(tmp_path)
    series = time_series(load_run(found.folder))
    attempts = found.summary["attempts"]
    for name in ("sent", "ok", "failed"):
        assert sum(series.rates_per_s[name]) * series.bin_s == pytest.approx(attempts[name])
    assert max(series.open_connections) <= found.summary["connections"]["peak_concurrent"]
    assert series.open_connections[-1] == attempts["open_at_end"]


@pytest.mark.usefixtures("in_parts")
def test_what_is_stored_says_that_no_row_is_kept(tmp_path: Path) -> None:
    found = run(tmp_path)
    manifest = json.loads((found.folder / "manifest.json").read_text())
    asked = 600 + 8 * (600 + 1500) / 2 + 2 * 101
    assert (manifest["connections"], manifest["without_rows"]) == (0, asked)
    assert any("no row of any" in note for note in found.summary["notes"])
    check(found.summary)


@pytest.mark.usefixtures("in_parts")
def test_no_result_depends_on_how_rows_are_cut() -> None:
    told = []
    for rows in (50, 1000, None):
        written: list[Any] = []
        part = StreamRun(
            loaded(WALL).scenario,
            lambda stream, line, kept=written: kept.append((stream, dict(line))),  # type: ignore[misc]
            rows=rows,
        )
        for _ in part.parts():
            pass
        part.finish()
        told.append(written)
    assert told[0] == told[1] == told[2]


@pytest.mark.usefixtures("in_parts")
@pytest.mark.parametrize("compiled", [False, True])
def test_a_stop_saves_what_was_done(
    compiled: bool,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("simulator.model.showing.SHOW_NS", 0)
    monkeypatch.setattr("simulator.model.stream_run.ROWS", 1 << 10)
    watch = Watcher(stop_in="running", level=1)
    found = run(tmp_path, compiled=compiled, watch=watch)
    attempts = found.summary["attempts"]
    assert 0 < attempts["sent"] == attempts["planned"] < 5_000
    assert "interrupted" in {one["code"] for one in found.summary["doubts"]}
    assert found.exit_code == 0, "the command adds 130 or 143"


@pytest.mark.usefixtures("in_parts")
def test_a_service_time_that_no_client_waits_for_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Refused, match=r"clients\.timeout"):
        run(tmp_path, "clients.timeout=30ms")
    assert not list(tmp_path.rglob("manifest.json"))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ("balancer.driver=own", "driver is own"),
        ("clients.source.ports=userspace", "userspace"),
        ("backends.churn={rate: 1/s}", "more than tuples"),
        ("kernel.reserved_ports=[50003]", "listened on"),
        ("sampling.every=10ms", "samples are too many"),
        ("traffic.full.requests=2", "requests"),
    ],
)
def test_what_cannot_go_in_parts_is_named(change: str, reason: str) -> None:
    assert not cannot_stream(loaded(WALL).scenario)
    changes = (change, "traffic.0.for=1h") if "sampling" in change else (change,)
    [found] = cannot_stream(loaded(WALL, *changes).scenario)
    assert reason in found


def test_only_what_is_too_long_goes_in_parts() -> None:
    assert not is_streamed(loaded(WALL).scenario)
    assert is_streamed(loaded(WALL, "traffic.full.arrivals={poisson: 1000000/s}").scenario)
