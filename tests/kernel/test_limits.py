"""The limits that preflight goes by are those the kernel enforces."""

from __future__ import annotations

import os
import resource
from typing import TYPE_CHECKING

import psutil
import pytest

from simulator.kernel.limits import UNLIMITED, read_machine
from tests.support.namespace import in_namespace

if TYPE_CHECKING:
    from pathlib import Path


def test_the_machine_is_read_as_other_tools_read_it(tmp_path: Path) -> None:
    machine = read_machine(tmp_path / "not" / "yet" / "there")
    assert (machine.descriptors_soft, machine.descriptors_hard) == tuple(
        UNLIMITED if limit == resource.RLIM_INFINITY else limit
        for limit in resource.getrlimit(resource.RLIMIT_NOFILE)
    )
    assert machine.processors == len(psutil.Process().cpu_affinity())
    available = psutil.virtual_memory().available
    assert 0 < machine.memory_available_bytes <= available * 1.2
    assert machine.disk_free_bytes == pytest.approx(psutil.disk_usage(str(tmp_path)).free, rel=0.1)
    assert 0 < machine.files_open < machine.files_max
    assert machine.processes_max > 1


def _open_until_refused() -> tuple[int, int]:
    """The limit as read, and the number of descriptors that there can be."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
    machine = read_machine()
    held: list[int] = []
    with pytest.raises(OSError, match="Too many open files"):
        held.extend(os.dup(0) for _ in range(100))
    return machine.descriptors_hard, held[-1] + 1


@pytest.mark.namespace
def test_the_descriptor_limit_is_the_one_that_is_enforced() -> None:
    limit, reached = in_namespace(_open_until_refused)
    assert limit == reached == 64
