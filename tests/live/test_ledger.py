"""The ledger is the very file that numpy reads, shared by all who map it, and refuses any other."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.lib import format as npy

from simulator.live.ledger import Ledger, map_column
from simulator.records import CONNECTION_COLUMNS, PLAN_COLUMNS, SERVICE_COLUMNS
from tests.support.jobs import steady, write_job

if TYPE_CHECKING:
    from pathlib import Path

ROWS = 60


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A run's folder as the store makes it: sixty connections."""
    with write_job(tmp_path, steady("600ms")) as writer:
        assert writer.connections == ROWS
        return writer.folder


def test_it_maps_what_the_store_made(folder: Path) -> None:
    ledger = Ledger(folder)
    assert len(ledger) == ROWS
    assert set(ledger.plan) == {*PLAN_COLUMNS, *SERVICE_COLUMNS}
    assert set(ledger.rows) == set(CONNECTION_COLUMNS)
    for name, column in ledger.plan.items():
        assert column.tolist() == np.load(folder / "plan" / f"{name}.npy").tolist(), name
    for name, column in ledger.rows.items():
        assert column.tolist() == np.load(folder / "connections" / f"{name}.npy").tolist(), name


def test_it_maps_the_columns_that_only_some_plans_have(tmp_path: Path) -> None:
    phase = {"name": "slow", "for": "100ms", "arrivals": {"constant": "50/s"}, "requests": 2}
    with write_job(tmp_path, steady(traffic=[{**phase, "think": "3ms"}])) as writer:
        assert Ledger(writer.folder).plan["think_ns"].tolist() == [0, 3_000_000] * 5


def test_what_is_written_is_seen_by_numpy_and_by_a_second_mapping(folder: Path) -> None:
    ours, theirs = Ledger(folder), Ledger(folder)
    for at, (name, dtype) in enumerate(CONNECTION_COLUMNS.items()):
        limits = np.iinfo(dtype)
        ours.rows[name][0], ours.rows[name][ROWS - 1] = limits.min, limits.max
        ours.rows[name][1] = at
        assert theirs.rows[name][1] == at
        stored = np.load(folder / "connections" / f"{name}.npy")
        assert (stored[0], stored[1], stored[-1]) == (limits.min, at, limits.max)
        assert stored.dtype == np.dtype(dtype)


def test_what_a_process_wrote_stays_when_it_is_gone(folder: Path) -> None:
    ledger = Ledger(folder)
    child = os.fork()
    if child == 0:
        ledger.rows["port"][7] = 54_321
        os.kill(os.getpid(), 9)
    os.waitpid(child, 0)
    assert ledger.rows["port"][7] == 54_321
    assert np.load(folder / "connections" / "port.npy")[7] == 54_321


def test_the_plan_cannot_be_changed_and_a_row_too_many_is_refused(folder: Path) -> None:
    ledger = Ledger(folder)
    with pytest.raises(TypeError, match="read-only"):
        ledger.plan["due_ns"][0] = 1
    with pytest.raises(IndexError):
        ledger.rows["port"][ROWS] = 1
    with pytest.raises((ValueError, TypeError)):
        ledger.rows["source"][0] = 1 << 15  # does not fit 16 bits; never cut silently


@given(values=st.lists(st.integers(-(2**63), 2**63 - 1), max_size=50), wide=st.booleans())
def test_both_versions_of_the_format_are_read(
    tmp_path_factory: pytest.TempPathFactory, values: list[int], *, wide: bool
) -> None:
    path = tmp_path_factory.mktemp("npy") / "column.npy"
    with path.open("wb") as file:
        npy.write_array(file, np.array(values, "<i8"), version=(2, 0) if wide else (1, 0))
    assert map_column(path, "<i8", writable=False).tolist() == values


@pytest.mark.parametrize(
    ("array", "why"),
    [
        (np.zeros(3, "<i4"), "holds <i4, not <i8"),
        (np.zeros(3, ">i8"), "holds >i8, not <i8"),
        (np.zeros(3, "<f8"), "holds <f8, not <i8"),
        (np.zeros((3, 2), "<i8"), "unpack"),
    ],
)
def test_a_column_of_another_kind_is_refused(
    tmp_path: Path, array: np.ndarray[tuple[int, ...], np.dtype[np.generic]], why: str
) -> None:
    path = tmp_path / "column.npy"
    np.save(path, array)
    with pytest.raises(ValueError, match=why):
        map_column(path, "<i8", writable=False)


def test_what_is_no_column_at_all_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "column.npy"
    path.write_bytes(b"something else entirely" * 20)
    with pytest.raises(ValueError, match=r"not a \.npy file"):
        map_column(path, "<i8", writable=False)


@pytest.mark.parametrize("lost", [1, 8, 400])
def test_a_column_cut_short_is_refused_and_not_taken_for_a_shorter_one(
    tmp_path: Path, lost: int
) -> None:
    path = tmp_path / "column.npy"
    np.save(path, np.arange(50))
    os.truncate(path, path.stat().st_size - lost)
    with pytest.raises(ValueError, match="cut short"):
        map_column(path, "<i8", writable=False)
