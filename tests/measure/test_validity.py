"""Doubts: each rule provoked alone, and none from a clean run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from simulator.measure.accounting import count_attempts
from simulator.measure.attribution import find_causes
from simulator.measure.validity import find_doubts, machine_doubts, notes
from simulator.records import Outcome
from tests.support.runs import MS, RunBuilder, S, scenario

if TYPE_CHECKING:
    from pathlib import Path

QUIET: dict[str, Any] = {"kernel": {"time_wait": "100ms"}}


def clean(count: int = 200, **changes: Any) -> RunBuilder:  # noqa: ANN401 - scenario keys
    """A run that gives no reason for doubt."""
    run = RunBuilder(scenario=scenario(**(QUIET | changes)))
    run.planned([i * 5 * MS for i in range(count)])
    for row in range(count):
        run.ok(row)
    return run.sample(0, {}).sample(S, {})


def codes(builder: RunBuilder, root: Path) -> dict[str, bool]:
    """Code -> whether it makes the run invalid."""
    run = builder.run(root)
    attempts = count_attempts(run.connections, find_causes(run).count_by_key())
    return {doubt.code: doubt.invalid for doubt in find_doubts(run, attempts)}


def test_a_clean_run_gives_no_doubt(tmp_path: Path) -> None:
    assert codes(clean(), tmp_path) == {}


@pytest.mark.parametrize(("missing", "doubted"), [(2, False), (3, True)])
def test_less_than_99_percent_sent_is_another_plan(
    tmp_path: Path, missing: int, doubted: bool
) -> None:
    run = clean()
    for row in range(missing):
        run.outcome(row, Outcome.NOT_SENT_GENERATOR)
    assert codes(run, tmp_path) == ({"generator-limited": True} if doubted else {})


def test_what_was_stopped_is_not_the_generators_fault(tmp_path: Path) -> None:
    run = clean().event("stopping", S // 2, level=1)
    for row in range(100, 200):
        run.outcome(row, Outcome.NOT_SENT_STOPPED)
    assert codes(run, tmp_path) == {"interrupted": False}


def test_a_generator_without_descriptors_is_invalid(tmp_path: Path) -> None:
    run = clean().outcome(0, Outcome.NOT_SENT_DESCRIPTORS)
    assert codes(run, tmp_path) == {"generator-descriptors": True}


@pytest.mark.parametrize(
    ("lag", "expected"),
    [
        (1 * MS, {}),
        (3 * MS, {"generator-late": False}),
        (49 * MS, {"generator-late": False}),
        # response counts the lateness, so a queue in the generator never exceeds it at the median
        (60 * MS, {"generator-late": False}),
    ],
)
def test_lateness_of_all(tmp_path: Path, lag: int, expected: dict[str, bool]) -> None:
    run = clean()
    for row in range(200):
        run.ok(row, lag=lag)
    assert codes(run, tmp_path) == expected


def test_lateness_of_a_few_far_beyond_the_median_is_invalid(tmp_path: Path) -> None:
    run = clean()
    for row in range(195, 200):
        run.ok(row, lag=51 * MS)
    assert codes(run, tmp_path) == {"generator-late": True}


@pytest.mark.parametrize(("used", "expected"), [(79, {}), (81, {"generator-busy": False})])
def test_a_busy_generator(tmp_path: Path, used: int, expected: dict[str, bool]) -> None:
    run = clean().tick(0, "client").tick(S, "client", user_ns=used * S // 100)
    assert codes(run, tmp_path) == expected


@pytest.mark.parametrize(("cpu", "expected"), [(19 * MS, {}), (21 * MS, {"observer": False})])
def test_the_observers_cost(tmp_path: Path, cpu: int, expected: dict[str, bool]) -> None:
    run = clean()
    run.lines = [line for line in run.lines if line[0] != "samples"]
    run.sample(0, {}, cpu_ns=cpu).sample(S, {}, cpu_ns=S)
    assert codes(run, tmp_path) == expected


def test_torn_or_missing_samples(tmp_path: Path) -> None:
    assert codes(clean().sample(2 * S, {}, complete=False), tmp_path) == {"samples-partial": False}
    bare = clean()
    bare.lines.clear()
    assert codes(bare, tmp_path) == {"not-sampled": False}


@pytest.mark.parametrize(
    ("time_wait", "close", "doubted"),
    [
        ("500ms", "client", False),
        ("501ms", "client", True),
        ("60s", "balancer", True),
        ("60s", "backend", False),
        ("60s", "reset", False),
    ],
)
def test_the_start_up_transient(tmp_path: Path, time_wait: str, close: str, doubted: bool) -> None:
    run = clean(kernel={"time_wait": time_wait}, balancer={"close": close})
    assert codes(run, tmp_path) == ({"start-up-transient": False} if doubted else {})


def test_a_warm_up_of_one_time_wait_removes_the_transient(tmp_path: Path) -> None:
    rate = {"constant": "100/s"}
    traffic = [
        {"name": "warm", "for": "2s", "warmup": True, "arrivals": rate},
        {"name": "work", "for": "1s", "arrivals": rate},
    ]
    assert codes(clean(kernel={"time_wait": "2s"}, traffic=traffic), tmp_path) == {}


def test_held_connections_have_no_transient(tmp_path: Path) -> None:
    traffic = [{"name": "hold", "for": "1s", "hold": {"connections": 200}}]
    assert codes(clean(kernel={"time_wait": "60s"}, traffic=traffic), tmp_path) == {}


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        ({"name": "role-lost", "role": "client", "index": 1, "signal": 9}, {"role-lost": True}),
        ({"name": "pause", "gap_ns": S, "role": "balancer"}, {"pause": True}),
        ({"name": "pause", "gap_ns": S - 1, "role": "balancer"}, {}),
        ({"name": "suspend", "gap_ns": 3 * S}, {"pause": True}),
        ({"name": "pause", "gap_ns": S, "role": "client", "t_ns": 1000 * S}, {"pause": False}),
        ({"name": "pause", "gap_ns": 3 * S, "role": "sampler"}, {"pause": False}),
        ({"name": "machine", "steal_share": 0.02}, {"steal": False}),
        ({"name": "machine", "steal_share": 0.01}, {}),
    ],
)
def test_what_befell_the_machine(
    tmp_path: Path, event: dict[str, Any], expected: dict[str, bool]
) -> None:
    assert codes(clean().event(**({"t_ns": S} | event)), tmp_path) == expected


def test_many_pauses_are_one_doubt_for_each_kind_of_role(tmp_path: Path) -> None:
    run = clean()
    for index in range(3):
        run.event("pause", S, role="client", index=index, gap_ns=(index + 1) * S)
    run.event("pause", S, role="backend", index=0, gap_ns=S)
    found = machine_doubts(run.run(tmp_path))
    assert [one.message for one in found] == [
        "client stood still for 3s and 2 times more for less",
        "backend stood still for 1s",
    ]


def test_connections_left_open_are_told(tmp_path: Path) -> None:
    run = clean().outcome(0, Outcome.OPEN, sent_ns=0)
    assert codes(run, tmp_path) == {"open-at-end": False}


def test_invalid_doubts_come_first_and_each_has_a_remedy(tmp_path: Path) -> None:
    run = clean().event("stopping", S).event("role-lost", S, role="sampler", index=0, code=1)
    read = run.run(tmp_path)
    found = find_doubts(read, count_attempts(read.connections, {}))
    assert [doubt.code for doubt in found] == ["role-lost", "interrupted"]
    assert all(doubt.message and doubt.remedy for doubt in found)
    assert found[0].message == "sampler 0 was lost (ended with 1): its share is missing"


def test_loopback_is_a_note_and_so_is_a_short_time_wait(tmp_path: Path) -> None:
    assert len(notes(clean(kernel={"time_wait": "60s"}).run(tmp_path))) == 1
    texts = notes(clean(kernel={"time_wait": "500ms"}).run(tmp_path))
    assert "loopback" in texts[0]
    assert "120 times" in texts[1]
