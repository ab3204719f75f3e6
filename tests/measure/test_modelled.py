"""What a summary says of the model: how it was done, and what was never held against the kernel."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from simulator.measure.modelled import is_modelled, model_notes, model_table, unvalidated
from tests.support.modelled import modelled
from tests.support.runs import RunBuilder
from tests.support.scenarios import SMALL, small

if TYPE_CHECKING:
    from pathlib import Path


def test_the_kernels_runs_are_not_modelled(tmp_path: Path) -> None:
    run = RunBuilder().planned([0]).started().run(tmp_path)
    assert not is_modelled(run)
    assert model_table(run) is None


def test_a_modelled_run_tells_how(tmp_path: Path) -> None:
    summary, run = modelled(SMALL, tmp_path)
    assert is_modelled(run)
    table = summary["model"]
    assert table == model_table(run)
    assert table["sent"] == 10
    assert table["per_s"] == pytest.approx(10 / table["took_s"])
    assert summary["notes"] == model_notes(run)
    assert any("loopback" not in note and "no network" in note for note in summary["notes"])


@pytest.mark.parametrize(
    ("change", "name"),
    [
        ("balancer.policy=peak-ewma", "policy peak-ewma"),
        ("balancer.policy=random", "policy random"),
        ("balancer.ejection={failures: 2, silence: 1s}", "ejection by silence"),
        ("sidecar={workers: 2}", "several sidecar workers"),
        ("backends={kind: http, faults: {error_rate: 0.5}}", "http answers that are failures"),
        ("backends.faults={hanging: 1}", "backends that hang from the start"),
        ("kernel.sysctls={net.ipv4.tcp_timestamps: 0}", "no TCP timestamps"),
    ],
)
def test_what_was_never_checked_is_named(change: str, name: str) -> None:
    [found] = unvalidated(small(change))
    assert found.startswith(name)


def test_the_plain_case_was_checked() -> None:
    assert unvalidated(small()) == []
