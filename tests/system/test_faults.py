"""Whatever is killed, nothing is left running, and what was measured stays readable."""

from __future__ import annotations

import json
import os
import signal
from typing import TYPE_CHECKING, Any

import pytest

from simulator.store.read import list_runs, load_run
from tests.support.command import Running, portchurn, wait_gone, write_scenario

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.namespace

SCENARIO = """
title: Long enough to be killed
backends: {{count: 4, processes: 2, ports: random, range: 20000-29999}}
balancer: {{workers: 2}}
clients: {{processes: 2}}
traffic:
  - name: steady
    for: {seconds}s
    arrivals: {{constant: 400/s}}
    lifetime: {{constant: 20ms}}
grace: 1s
"""


@pytest.fixture
def running(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Running]:
    seconds = getattr(request, "param", 30)
    scenario = write_scenario(tmp_path / "long.yaml", SCENARIO.format(seconds=seconds))
    run = Running(scenario, tmp_path / "results")
    try:
        yield run.wait_until_running()
    finally:
        run.abandon()


@pytest.fixture
def held(tmp_path: Path) -> Iterator[Running]:
    """A run whose connections stay open far longer than any patience."""
    text = SCENARIO.format(seconds=30).replace("20ms", "25s").replace("grace: 1s", "grace: 30s")
    run = Running(write_scenario(tmp_path / "held.yaml", text), tmp_path / "results")
    try:
        yield run.wait_until_running()
    finally:
        run.abandon()


def assert_accounted(summary: dict[str, Any]) -> None:
    attempts = summary["attempts"]
    assert attempts["planned"] == attempts["sent"] + sum(attempts["not_sent"].values())
    ended = attempts["ok"] + attempts["failed"] + attempts["open_at_end"]
    assert attempts["sent"] == ended
    assert sum(attempts["errors"].values()) == attempts["failed"]


def test_kill_of_the_conductor_leaves_nothing_and_the_run_is_listed_as_aborted(
    running: Running,
) -> None:
    pids = running.pids()
    folder = running.folder
    running.wait_for_samples(3)
    running.process.kill()
    running.finish()
    assert wait_gone(pids) == []
    (entry,) = list_runs(running.results)
    assert entry.status == "aborted"
    run = load_run(folder)
    assert len(run.samples) > 0
    assert int((run.connections["sent_ns"] >= 0).sum()) > 0
    listed = portchurn("list", "--results", running.results)
    assert "aborted" in listed.out.lower()
    shown = portchurn("show", "latest", "--results", running.results)
    assert shown.code in (0, 6), shown.err
    assert "Traceback" not in shown.err


@pytest.mark.parametrize("name", ["client 1", "balancer 0", "backend 1", "sampler 0"])
@pytest.mark.parametrize("running", [3], indirect=True)
def test_kill_of_a_role_is_reported_and_accounted_for(running: Running, name: str) -> None:
    pids = running.pids()
    os.kill(pids[name], signal.SIGKILL)
    done = running.finish()
    assert wait_gone(pids) == []
    assert done.code == 6, done.err
    (lost,) = running.events("role-lost")
    assert f"{lost['role']} {lost['index']}" == name
    assert lost["code"] == -signal.SIGKILL
    assert_accounted(json.loads((running.folder / "summary.json").read_text()))


def test_kill_of_pid_1_ends_the_whole_crew(running: Running) -> None:
    pids = running.pids()
    os.kill(pids["init"], signal.SIGKILL)
    done = running.finish()
    assert wait_gone(pids) == []
    assert done.code in (1, 6), done.err
    assert "Traceback" not in done.err


def test_ctrl_c_once_stops_drains_and_saves(running: Running) -> None:
    pids = running.pids()
    running.process.send_signal(signal.SIGINT)
    done = running.finish()
    assert done.code == 130, done.err
    assert wait_gone(pids) == []
    summary = json.loads((running.folder / "summary.json").read_text())
    assert summary["attempts"]["not_sent"]["stopped"] > 0
    assert summary["attempts"]["open_at_end"] == 0
    assert_accounted(summary)
    assert "Results:" in done.out


def test_ctrl_c_twice_ends_at_once_and_still_saves(held: Running) -> None:
    run = held
    pids = run.pids()
    run.process.send_signal(signal.SIGINT)
    assert run.process.stderr is not None
    assert any("Once more" in line for line in run.process.stderr)
    run.process.send_signal(signal.SIGINT)
    done = run.finish(timeout_s=10.0)
    assert done.code == 130
    assert wait_gone(pids) == []
    summary = json.loads((run.folder / "summary.json").read_text())
    assert summary["attempts"]["open_at_end"] > 0
    assert_accounted(summary)


def test_sigterm_is_a_ctrl_c_with_its_own_code(running: Running) -> None:
    pids = running.pids()
    running.process.terminate()
    assert running.finish().code == 143
    assert wait_gone(pids) == []


def test_two_runs_at_once_do_not_meet(tmp_path: Path) -> None:
    scenario = write_scenario(tmp_path / "twin.yaml", SCENARIO.format(seconds=2))
    runs = [Running(scenario, tmp_path / "results") for _ in range(2)]
    assert [run.finish().code for run in runs] == [0, 0]
    assert len(list_runs(tmp_path / "results")) == 2
