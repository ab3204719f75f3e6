"""Costs of the roles: differences between ticks, by process, and none from too little."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from simulator.measure.roles import (
    bytes_per_connection,
    cpu_table,
    cpu_us_per_connection,
    memory_table,
    sampler_share,
    sum_by_key,
)
from tests.support.runs import MS, RunBuilder, S

if TYPE_CHECKING:
    from pathlib import Path

START_UP = {"user_ns": 900 * MS, "system_ns": 100 * MS}


def test_cpu_for_a_connection_leaves_the_start_of_the_interpreter_out(tmp_path: Path) -> None:
    run = RunBuilder().planned([])
    run.tick(0, "balancer", **START_UP, accepted=10)
    run.tick(S, "balancer", user_ns=920 * MS, system_ns=180 * MS, accepted=1010)
    # 20 ms + 80 ms of CPU for 1000 connections
    assert cpu_us_per_connection(run.run(tmp_path), "balancer") == pytest.approx(100.0)


def test_workers_are_added_and_a_restarted_one_counts_as_two(tmp_path: Path) -> None:
    run = RunBuilder().planned([])
    for index, pid in ((0, 11), (1, 12), (0, 13)):
        run.tick(0, "client", index, pid=pid, sent=0)
        run.tick(S, "client", index, pid=pid, user_ns=20 * MS, sent=100)
    assert cpu_us_per_connection(run.run(tmp_path), "client") == pytest.approx(200.0)


def test_too_few_connections_give_no_cost(tmp_path: Path) -> None:
    run = RunBuilder().planned([])
    run.tick(0, "backend", accepted=0).tick(S, "backend", user_ns=S, accepted=99)
    found = cpu_table(run.run(tmp_path))
    assert found["backend_us_per_connection"] is None
    assert found["client_us_per_connection"] is None


def test_the_busiest_process_is_what_limits(tmp_path: Path) -> None:
    run = RunBuilder().planned([])
    for index, used in ((0, S // 4), (1, S * 9 // 10)):
        run.tick(0, "client", index).tick(S, "client", index, user_ns=used)
        run.tick(5 * S, "client", index, user_ns=5 * S)  # after the phase: not looked at
    assert cpu_table(run.run(tmp_path))["client_share"] == pytest.approx(0.9)


def test_the_sampler_counts_what_it_took_of_a_core(tmp_path: Path) -> None:
    run = RunBuilder().planned([])
    for t in range(11):
        run.sample(t * 100 * MS, {}, cpu_ns=3 * MS)
    assert sampler_share(run.run(tmp_path)) == pytest.approx(0.03)
    assert sampler_share(RunBuilder().planned([]).sample(0, {}).run(tmp_path)) is None


def test_memory_is_taken_at_the_moment_of_most_connections(tmp_path: Path) -> None:
    run = RunBuilder().planned([])
    for t, active, rss in ((0, 0, 1_000_000), (1, 1000, 6_000_000), (2, 10, 9_000_000)):
        run.tick(t * S, "balancer", active=active, rss_bytes=rss)
    read = run.run(tmp_path)
    assert bytes_per_connection(read, "balancer") == pytest.approx(5000.0)
    assert memory_table(read)["kernel_bytes_per_connection"] is None


def test_the_kernels_memory_is_told_where_an_engine_recorded_it(tmp_path: Path) -> None:
    run = RunBuilder().planned([]).event("kernel-memory", S, bytes=6_000_000, connections=1000)
    assert memory_table(run.run(tmp_path))["kernel_bytes_per_connection"] == 6000.0


def test_tables_in_ticks_are_summed_over_workers() -> None:
    ticks = [{"picks": {"0": 2, "1": 1}}, {"picks": {"1": 5}}, {}]
    assert sum_by_key(ticks, "picks") == {"0": 2, "1": 6}
