"""The grammar of `backends.kind`: what reads back, and what a kind could only ignore."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from simulator.errors import ScenarioError
from simulator.scenario.load import load_file, resolved
from simulator.scenario.schema import Scenario
from simulator.traffic.plan import make_plan
from tests.support.scenarios import SMALL, complaints, small

if TYPE_CHECKING:
    from pathlib import Path

ECHO = "backends.kind=echo"


@pytest.mark.parametrize("kind", ["stream", "echo", "http"])
def test_each_kind_reads_back(kind: str) -> None:
    scenario = small(f"backends.kind={kind}", "traffic.0.request_size=1KiB")
    assert scenario.backends.kind == kind
    assert Scenario.model_validate(resolved(scenario)) == scenario


def test_plain_requests_are_the_default_and_its_old_name_is_still_read() -> None:
    assert small().backends.kind == "stream"
    assert small("backends.kind=request-response").backends.kind == "stream"


def test_an_unknown_kind_is_answered_with_those_there_are() -> None:
    (found,) = complaints(SMALL, "backends.kind=htp")
    assert found.path == "backends.kind"
    assert "must be one of stream, echo, http, dns; did you mean http?" in found.message


def test_a_queue_is_of_those_who_wait_for_a_limit() -> None:
    (found,) = complaints(SMALL, "backends.queue=4")
    assert found.path == "backends.queue"
    assert "is not used without concurrency" in found.message
    assert small("backends.queue=0", "backends.concurrency=2").backends.queue == 0


def test_an_echo_is_as_long_as_its_request() -> None:
    phase = small(ECHO, "traffic.0.request_size=3KiB").traffic[0]
    assert phase.response_size == phase.request_size == 3 << 10
    same = small(ECHO, "traffic.0.request_size=2B", "traffic.0.response_size=2B")
    assert set(make_plan(same).columns["response_bytes"]) == {2}


@pytest.mark.parametrize(
    ("flag", "path"),
    [
        ("backends.service_time=1ms", "backends.service_time"),
        ("backends.concurrency=4", "backends.concurrency"),
        ("backends.stream={}", "backends.stream"),
        ("backends.faults.error_rate=0.5", "backends.faults.error_rate"),
        ("backends.faults.slow=1", "backends.faults.slow"),
        ("balancer.close=backend", "balancer.close"),
        ("traffic.0.request_size=0B", "traffic.0.request_size"),
        ("traffic.0.response_size=65B", "traffic.0.response_size"),
    ],
)
def test_what_an_echo_could_only_ignore_is_refused_by_name(flag: str, path: str) -> None:
    (found,) = complaints(SMALL, ECHO, flag)
    assert found.path == path
    small("backends.kind=http", flag)  # and means something to others
    small(flag)


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ("due_s,response_bytes\n0,5\n", "has response_bytes, but an echo is as long"),
        ("due_s,request_bytes\n0,5\n0.1,0\n", "of nothing there is no echo"),
    ],
)
def test_a_trace_cannot_ask_an_echo_for_more(tmp_path: Path, rows: str, words: str) -> None:
    path = tmp_path / "replay.yaml"
    path.write_text(SMALL.replace("{constant: 10/s}", "{trace: day.csv}"))
    (tmp_path / "day.csv").write_text(rows)
    load_file(path)
    with pytest.raises(ScenarioError, match=words):
        load_file(path, overrides=(ECHO,))


def test_a_trace_of_requests_is_echoed(tmp_path: Path) -> None:
    path = tmp_path / "replay.yaml"
    path.write_text(SMALL.replace("{constant: 10/s}", "{trace: day.csv}"))
    (tmp_path / "day.csv").write_text("due_s,request_bytes\n0,5\n0.1,700\n")
    loaded = load_file(path, overrides=(ECHO,))
    plan = make_plan(loaded.scenario, loaded.traces)
    assert plan.columns["response_bytes"].tolist() == [5, 700]


@pytest.mark.parametrize("kind", ["echo", "http"])
def test_only_a_stream_forgets_to_close(kind: str) -> None:
    (found,) = complaints(SMALL, f"backends.kind={kind}", "backends.faults.leaks=0.5")
    assert found.path == "backends.faults.leaks"
    assert f"is not done by kind: {kind}" in found.message
    small("backends.faults.leaks=0.5")
