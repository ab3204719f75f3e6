"""The workloads are what the bench says they are."""

from __future__ import annotations

from simulator.bench.crowd import MESSAGE_BYTES
from simulator.bench.workloads import WORKLOADS


def test_each_workload_is_found_by_its_own_name() -> None:
    assert list(WORKLOADS) == ["close", "close-both", "keepalive", "bulk", "hold"]
    assert all(one.name == name for name, one in WORKLOADS.items())


def test_an_answer_of_the_bulk_workload_is_its_unit() -> None:
    for one in WORKLOADS.values():
        assert one.answer_bytes == (10**6 if one.unit == "MB" else MESSAGE_BYTES)


def test_held_connections_fit_into_the_subjects_descriptors() -> None:
    # 20,000 is what many machines allow a process at most; a relay has two for each.
    assert max(one.at_once for one in WORKLOADS.values()) * 2 + 1_000 < 20_000
