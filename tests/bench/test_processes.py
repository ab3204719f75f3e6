"""Processes of a round: on their core, counted, and gone at the end."""

from __future__ import annotations

import os
import time
from pathlib import Path

import psutil
import pytest

from simulator.bench.processes import cpu_s, fork_on, started, two_cores, write_setting
from tests.support.namespace import in_namespace


def test_a_child_runs_on_the_cores_it_was_given_and_is_gone_after() -> None:
    mine, others = two_cores()
    assert mine <= os.sched_getaffinity(0)
    assert others <= os.sched_getaffinity(0)
    with started([]) as pids:
        pids.append(fork_on(lambda: time.sleep(60), others))
        child = psutil.Process(pids[0])
        while set(child.cpu_affinity()) != others:
            time.sleep(0.001)  # it sets them itself, right after the fork
        assert child.is_running()
    assert not psutil.pid_exists(pids[0])


def test_cpu_time_only_grows_and_the_kernels_part_is_within_it() -> None:
    before, _ = cpu_s(os.getpid())
    sum(range(200_000))
    total, system = cpu_s(os.getpid())
    assert before < total
    assert 0 <= system <= total


def settings() -> str:
    write_setting("ipv4.ip_local_port_range", "20000 20999")
    write_setting("ipv4.no_such_setting", "1")
    return Path("/proc/sys/net/ipv4/ip_local_port_range").read_text()


@pytest.mark.namespace
def test_a_setting_is_written_and_one_that_is_missing_passed_over() -> None:
    assert in_namespace(settings).split() == ["20000", "20999"]
