"""Care in a summary: workers added up, peaks by worker, nothing where nothing was done."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING

from simulator.live.governed import CareStatistics
from simulator.measure.care import COUNTED, care_table
from tests.support.runs import RunBuilder

if TYPE_CHECKING:
    from pathlib import Path

S = 1_000_000_000


def test_workers_are_added_and_peaks_are_of_one(tmp_path: Path) -> None:
    run = RunBuilder().planned([])
    for index, pid in ((0, 11), (1, 12)):
        run.tick(0, "balancer", index, pid=pid, care={"checks": 1, "waiting": 7, "out": 2})
        run.tick(S, "balancer", index, pid=pid, care={"checks": 20 + index, "waiting": 0})
    found = care_table(run.run(tmp_path))
    assert (found["checks"], found["waiting_peak"], found["out_peak"]) == (41, 7, 2)
    assert found["ejections"] == 0


def test_a_plain_relay_has_nothing_to_tell(tmp_path: Path) -> None:
    run = RunBuilder().planned([]).tick(0, "balancer", accepted=5)
    assert care_table(run.run(tmp_path)) == {}


def test_everything_that_a_worker_counts_is_in_the_table() -> None:
    counted = {field.name for field in fields(CareStatistics)}
    assert counted == {*COUNTED, "waiting", "out"}
