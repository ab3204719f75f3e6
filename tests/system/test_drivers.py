"""HAProxy and nginx as the balancer of a run: the same walls and causes, nothing left behind."""

from __future__ import annotations

import json
import os
import re
import signal
from pathlib import Path
from typing import Any

import pytest

from simulator.kernel.peers import look_for
from simulator.scenario.complaint import ScenarioComplaintsError
from simulator.scenario.load import load_file
from tests.support.command import (
    ROOT,
    SCENARIOS,
    Running,
    portchurn,
    run_json,
    wait_gone,
    write_scenario,
)

DRIVERS = ("haproxy", "nginx")
MAIN_JOB = (
    *("port-wall", "hold-the-range", "half-full-cliff", "late-bind", "who-closes-first"),
    *("many-addresses", "why-dynamic-range"),
)
NO_PORT = "balancer-backend/connect/EADDRNOTAVAIL"

#: 200 ports / 250 ms = 800/s for each source address.
WALL = """
title: A wall met by another balancer
kernel: {{port_range: 50000-50199, time_wait: 250ms}}
backends: {{count: 1, ports: random, range: 20000-29999}}
balancer: {{driver: {driver}, retries: 0, source: {{addresses: {addresses}, ports: late-bind}}}}
traffic:
  - {{name: steady, for: 1500ms, arrivals: {{constant: 1200/s}}}}
grace: 1s
"""
HOLD = """
title: Every port of a small range, held
kernel: {{port_range: 50000-50499, time_wait: 60s}}
backends: {{count: 1, ports: random, range: 20000-29999}}
balancer: {{driver: {driver}, retries: 0}}
traffic:
  - {{name: hold, for: 1s, hold: {{connections: 501, rate: 1000/s}}}}
grace: 1s
"""
CHURN = """
title: Backends that move behind another balancer
seed: 4
kernel: {{port_range: 50000-59999, time_wait: 500ms}}
backends:
  {{count: 4, ports: random, range: 20000-29999,
    churn: {{at: [{{time: 500ms, backends: 1}}], away: 500ms, leave: drain}}}}
balancer: {{driver: {driver}, retries: 2, close: backend}}
traffic:
  - {{name: steady, for: 1600ms, arrivals: {{constant: 300/s}}}}
grace: 1s
"""
LONG = """
title: Long enough to be killed
backends: {{count: 2, ports: random, range: 20000-29999}}
balancer: {{driver: {driver}, workers: 2}}
traffic:
  - {{name: steady, for: 30s, arrivals: {{constant: 200/s}}, lifetime: {{constant: 20ms}}}}
"""

needs_programs = [
    pytest.mark.haproxy,
    pytest.mark.nginx,
    pytest.mark.namespace,
    pytest.mark.slow,
    pytest.mark.parametrize("driver", DRIVERS),
]


def marked(test: Any) -> Any:  # noqa: ANN401 - a test function
    for mark in needs_programs:
        test = mark(test)
    return test


def run(text: str, driver: str, tmp_path: Path, **values: Any) -> dict[str, Any]:  # noqa: ANN401
    if look_for(driver).missing:
        pytest.skip(look_for(driver).missing)
    path = write_scenario(tmp_path / "asked.yaml", text.format(driver=driver, **values))
    code, (summary,) = run_json(path, "--results", tmp_path / "results")
    assert code == 0, summary["doubts"]
    attempts = summary["attempts"]
    assert attempts["sent"] == attempts["ok"] + attempts["failed"] + attempts["open_at_end"]
    assert sum(attempts["errors"].values()) == attempts["failed"]
    assert summary["driver"]["name"] == driver
    assert summary["driver"]["version"] == look_for(driver).version
    return summary


def hop(summary: dict[str, Any]) -> dict[str, Any]:
    (found,) = [one for one in summary["hops"] if one["name"] == "balancer-backend"]
    return dict(found)


@marked
def test_the_wall_stands_where_arithmetic_puts_it(driver: str, tmp_path: Path) -> None:
    summary = run(WALL, driver, tmp_path, addresses=1)
    assert summary["verdict"]["code"] == "balancer-source-ports"
    # 200 at once, then 800/s as ports come back, of 1,800 asked.
    assert summary["attempts"]["ok"] == pytest.approx(200 + 800 * 1.25, rel=0.15)
    assert set(summary["attempts"]["errors"]) == {NO_PORT}
    assert summary["attributed"] == summary["attempts"]["failed"]
    # The 201st connection finds no port: 200 / 1,200/s after the start.
    assert hop(summary)["exhausted_at_s"] == pytest.approx(200 / 1200, abs=0.25)
    assert summary["cpu"]["balancer_us_per_connection"] > 0
    # The folder tells what ran.
    (folder,) = (tmp_path / "results" / "asked").iterdir()
    assert (folder / summary["driver"]["config"]).read_text()
    manifest = json.loads((folder / "manifest.json").read_text())
    assert manifest["environment"]["driver"]["version"] == summary["driver"]["version"]


@marked
def test_a_second_address_moves_the_wall_away(driver: str, tmp_path: Path) -> None:
    summary = run(WALL, driver, tmp_path, addresses=3)
    assert summary["verdict"]["code"] == "ok"
    assert summary["attempts"]["failed"] == 0
    # 1,200/s x 250 ms = 300 tuples over three addresses.
    assert 60 <= hop(summary)["in_use_peak"] < 200


@marked
def test_it_learns_of_backends_that_move(driver: str, tmp_path: Path) -> None:
    summary = run(CHURN, driver, tmp_path)
    assert summary["attempts"]["failed"] <= 5
    backends = summary["backends"]
    assert (backends["left"], backends["back"], backends["misdelivered"]) == (1, 1, 0)
    # 300/s / 4 backends x 100 ms until it is told: 7 dials to where nobody is, and retries.
    assert backends["refused_after_move"] > 0
    # All four serve: the one that moved has less, but not nothing.
    assert min(backends["picks"].get(str(one), 0) for one in range(4)) > 20


@marked
def test_kill_of_the_conductor_leaves_nothing(driver: str, tmp_path: Path) -> None:
    if look_for(driver).missing:
        pytest.skip(look_for(driver).missing)
    path = write_scenario(tmp_path / "long.yaml", LONG.format(driver=driver))
    running = Running(path, tmp_path / "results")
    try:
        running.wait_until_running()
        running.wait_for_samples(2)
        (told,) = running.events("driver")
        pids = {**running.pids(), driver: told["pid"]}
        assert Path(f"/proc/{told['pid']}/comm").read_text().strip() == driver
        running.process.kill()
        running.process.wait()
        assert wait_gone(pids) == []
    finally:
        running.abandon()


@marked
def test_kill_of_the_program_is_a_lost_role(driver: str, tmp_path: Path) -> None:
    if look_for(driver).missing:
        pytest.skip(look_for(driver).missing)
    text = LONG.format(driver=driver).replace("30s", "1500ms")
    running = Running(write_scenario(tmp_path / "long.yaml", text), tmp_path / "results")
    try:
        running.wait_until_running()
        running.wait_for_samples(2)
        (told,) = running.events("driver")
        os.kill(told["pid"], signal.SIGKILL)
        finished = running.finish()
    finally:
        running.abandon()
    assert finished.code == 6, finished.out
    assert "balancer 0 was lost" in finished.out


EXAMPLE = (ROOT / "docs" / "drivers.md").read_text().split("```\n")[1]
OWN = {
    "haproxy": EXAMPLE,
    "nginx": (
        "@MAIN@\nevents { worker_connections 4000; }\nstream {\n@LOGS@\n"
        "upstream mine {\n@SERVERS@\n}\nserver { listen @FRONT@; proxy_pass mine; }\n}\n"
    ),
}


@marked
def test_one_address_holds_its_ports_under_a_configuration_of_ones_own_too(
    driver: str, tmp_path: Path
) -> None:
    (tmp_path / "own.cfg").write_text(OWN[driver])
    text = HOLD.replace("{{driver: {driver},", "{{driver: {driver}, config: own.cfg,")
    summary = run(text, driver, tmp_path)
    assert (summary["attempts"]["ok"], summary["attempts"]["failed"]) == (500, 1)
    assert summary["attempts"]["errors"] == {NO_PORT: 1}
    assert hop(summary)["in_use_peak"] == 500
    (folder,) = (tmp_path / "results" / "asked").iterdir()
    assert (folder / "balancer" / "template").read_text() == OWN[driver]
    assert "@" not in (folder / summary["driver"]["config"]).read_text().replace("fd@", "")


def rows() -> list[tuple[str, str, dict[str, str]]]:
    """Scenario, variant and the cell of each driver, from the page's last table."""
    page = (ROOT / "docs" / "drivers.md").read_text()
    table = page.rpartition("|---|---|---|---|\n")[2]
    found = []
    for line in table.strip().splitlines():
        scenario, variant, *cells = (cell.strip() for cell in line.strip("|").split("|"))
        found.append((scenario, variant, dict(zip(DRIVERS, cells, strict=True))))
    return found


def verdict_of(scenario: str, variant: str, driver: str) -> str:
    path = SCENARIOS / f"{scenario}.yaml"
    if load_file(path).scenario.balancer.driver == "none":
        return "no balancer"
    override = [f"balancer.driver={driver}"]
    try:
        load_file(path, overrides=override, only=variant or None)
    except ScenarioComplaintsError as error:
        return ", ".join(sorted({one.path for one in error.complaints}))
    return "runs"


@pytest.mark.parametrize("row", rows(), ids=lambda row: f"{row[0]}-{row[1]}")
def test_the_table_of_scenarios_is_true(row: tuple[str, str, dict[str, str]]) -> None:
    scenario, variant, told = row
    assert {driver: verdict_of(scenario, variant, driver) for driver in DRIVERS} == told


def test_the_table_has_every_scenario_of_the_main_job_whole() -> None:
    told = {(scenario, variant) for scenario, variant, _ in rows()}
    for name in (*MAIN_JOB, "backend-churn"):
        variants = [one.name for one in load_file(SCENARIOS / f"{name}.yaml").variants] or [""]
        assert {(name, variant) for variant in variants} <= told


def test_an_absent_program_is_refused_before_anything_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_scenario(tmp_path / "asked.yaml", WALL.format(driver="nginx", addresses=1))
    (tmp_path / "sitecustomize.py").write_text(
        "from simulator.kernel import peers\npeers.find = lambda name: ''\n"
    )
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}:{ROOT}")
    done = portchurn("run", path, "--results", tmp_path / "results")
    assert done.code == 3
    assert re.search(r"nginx is not installed here.*libnginx-mod-stream", done.err)
    assert not list((tmp_path / "results").glob("*/*"))
