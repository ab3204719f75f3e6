"""What is written has the columns and rows that every engine writes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from simulator.model.records import Records, write_column
from simulator.records import CONNECTION_COLUMNS, DIAL_COLUMNS, REFUSAL_COLUMNS, Call, Outcome
from tests.support.runs import RunBuilder, plan

if TYPE_CHECKING:
    from pathlib import Path


def test_columns_are_those_of_the_ledger(tmp_path: Path) -> None:
    records = Records(3, 1)
    records.sent(1, 10, 2, 50_000, -1, connected=True)
    records.answered(1, 20, 1, 64)
    records.answered(1, 25, 2, 64)
    records.ok(1, 30)
    records.sent(2, 11, 0, 0, 4, connected=False)
    records.failed(2, 12, Call.CONNECT, 99)
    assert (records.sent_count, records.ok_count, records.failed_count) == (2, 1, 1)
    with RunBuilder(plan=plan([0, 1, 2])).write(tmp_path) as writer:
        records.write(writer.folder)
    rows = {
        name: np.load(writer.folder / "connections" / f"{name}.npy") for name in CONNECTION_COLUMNS
    }
    assert rows["outcome"].tolist() == [Outcome.PLANNED, Outcome.OK, Outcome.FAILED]
    assert rows["sent_ns"].tolist() == [-1, 10, 11]
    assert rows["connected_ns"].tolist() == [-1, 10, -1]
    assert rows["first_byte_ns"].tolist() == [-1, 20, -1]
    assert rows["answered_ns"].tolist() == [-1, 25, -1]
    assert rows["bytes_in"].tolist() == [0, 128, 0]
    assert rows["answers"].tolist() == [0, 2, 0]
    assert rows["backend"].tolist() == [-1, -1, 4]
    assert rows["error"].tolist() == [0, 0, 99]
    assert {name: rows[name].dtype.str for name in rows} == CONNECTION_COLUMNS


def test_rows_are_taken_once_and_belong_to_their_worker() -> None:
    records = Records(1, 2)
    records.dialed(1, 5, 0, 1, 50_000, 99, int(Call.CONNECT))
    records.refused(0, (6, 6), (1, 2), (3, 99, 1, 0))
    [dials, refusals] = records.take_rows()
    assert dials[:2] == ("dials", 1)
    row = dict(zip(DIAL_COLUMNS, np.frombuffer(dials[2], dtype="<i8").tolist(), strict=True))
    assert row == {
        "t_ns": 5, "call_ns": 0, "backend": 0, "source": 1, "port": 50_000, "error": 99, "call": 3,
    }  # fmt: skip
    assert refusals[:2] == ("refusals", 0)
    assert len(refusals[2]) == 8 * len(REFUSAL_COLUMNS)
    assert records.take_rows() == []


def test_a_column_of_another_length_is_not_written(tmp_path: Path) -> None:
    with (
        RunBuilder(plan=plan([0, 1])).write(tmp_path) as writer,
        pytest.raises(ValueError, match="room"),
    ):
        write_column(writer.folder, "sent_ns", np.zeros(3, dtype="<i8"))
