"""The start bench: a first connection comes before the end of its run, and no command fails."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from simulator.bench.start import BENCH, _is_written
from tests.support.benches import one_round

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.namespace
@pytest.mark.slow
def test_every_command_is_timed_and_none_fails() -> None:
    (values,) = one_round(BENCH).values()
    assert set(values) == set(BENCH.units)
    assert values["errors"] == 0
    assert values["python"] > 0
    assert 0 < values["first-connection"] < values["whole-run"]


@pytest.mark.parametrize(("rows", "is_written"), [([-1, -1], False), ([5_000, -1], True)])
def test_the_first_row_says_when_it_is_written(
    rows: list[int], is_written: bool, tmp_path: Path
) -> None:
    column = tmp_path / "sent_ns.npy"
    column.write_bytes(b"")
    assert not _is_written(column)  # made, and not yet filled
    np.save(column, np.array(rows, dtype="<i8"))
    assert _is_written(column) == is_written
