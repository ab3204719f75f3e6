"""What the model writes down, in memory: the very columns and rows of `simulator/records.py`."""

from __future__ import annotations

from array import array
from struct import Struct
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from simulator.records import CONNECTION_COLUMNS, DIAL_COLUMNS, NOT_YET, REFUSAL_COLUMNS, Outcome

if TYPE_CHECKING:
    from pathlib import Path

_CODES: Final = {"<i8": "q", "<i4": "i", "<i2": "h", "|u1": "B"}
_dial_row: Final = Struct(f"<{len(DIAL_COLUMNS)}q").pack
_refusal_row: Final = Struct(f"<{len(REFUSAL_COLUMNS)}q").pack
_OPEN: Final = int(Outcome.OPEN)
_OK: Final = int(Outcome.OK)
_FAILED: Final = int(Outcome.FAILED)


class Records:
    """Columns of connections, and rows of dials and refusals since they were last taken.

    Args:
        rows: planned connections.
        workers: of the balancer.

    Attributes:
        outcome: of each row.
    """

    def __init__(self, rows: int, workers: int) -> None:
        self._columns: dict[str, array[int]] = {}
        for name, dtype in CONNECTION_COLUMNS.items():
            first = NOT_YET if name.endswith("_ns") or name == "backend" else 0
            self._columns[name] = array(_CODES[dtype], [first]) * rows
        columns = self._columns
        columns["connect_call_ns"] = array(_CODES["<i4"], [0]) * rows  # a connect costs nothing
        self.outcome = columns["outcome"]
        self.closed = columns["closed_ns"]
        self._sent = columns["sent_ns"]
        self._connected = columns["connected_ns"]
        self._first_byte = columns["first_byte_ns"]
        self._answered = columns["answered_ns"]
        self._answers = columns["answers"]
        self._bytes = columns["bytes_in"]
        self._call = columns["call"]
        self._error = columns["error"]
        self._source = columns["source"]
        self._port = columns["port"]
        self._backend = columns["backend"]
        self._dials = [bytearray() for _ in range(max(1, workers))]
        self._refusals = [bytearray() for _ in range(max(1, workers))]
        self.ok_count = self.failed_count = self.sent_count = 0

    def sent_at(self, row: int) -> int:
        """When a row was sent."""
        return self._sent[row]

    def sent(
        self, row: int, t_ns: int, source: int, port: int, backend: int, *, connected: bool
    ) -> None:
        """A connection was taken up."""
        self._sent[row] = t_ns
        if connected:
            self._connected[row] = t_ns
        self._source[row] = source
        self._port[row] = port
        if backend >= 0:
            self._backend[row] = backend
        self.outcome[row] = _OPEN
        self.sent_count += 1

    def first_byte(self, row: int, t_ns: int) -> None:
        """Something of an answer is in, maybe not for the first time."""
        if self._first_byte[row] == NOT_YET:
            self._first_byte[row] = t_ns

    def answered(self, row: int, t_ns: int, number: int, size: int) -> None:
        """An answer of so many bytes is in, the so-manieth of its connection."""
        self.first_byte(row, t_ns)
        self._answered[row] = t_ns
        self._answers[row] = number
        self._bytes[row] += size

    def ok(self, row: int, t_ns: int) -> None:
        """A connection ended as planned."""
        self.closed[row] = t_ns
        self.outcome[row] = _OK
        self.ok_count += 1

    def failed(self, row: int, t_ns: int, call: int, error: int) -> None:
        """A connection ended otherwise."""
        self.closed[row] = t_ns
        self._call[row] = call
        self._error[row] = error
        self.outcome[row] = _FAILED
        self.failed_count += 1

    def dialed(self, worker: int, *row: int) -> None:
        """A connect of a balancer worker: time, backend, source, port, error, call."""
        t_ns, backend, source, port, error, call = row
        self._dials[worker] += _dial_row(t_ns, 0, backend, source, port, error, call)

    def refused(
        self,
        worker: int,
        moments: tuple[int, int],
        peer: tuple[int, int],
        cause: tuple[int, int, int, int],
    ) -> None:
        """A client that could not be served; the columns of REFUSAL_COLUMNS in their order."""
        self._refusals[worker] += _refusal_row(*moments, *peer, *cause)

    def take_rows(self) -> list[tuple[str, int, bytes]]:
        """Rows since the last call, as (stream, worker, bytes)."""
        found = []
        for stream, buffers in (("dials", self._dials), ("refusals", self._refusals)):
            for worker, rows in enumerate(buffers):
                if rows:
                    found.append((stream, worker, bytes(rows)))
                    rows.clear()
        return found

    def write(self, folder: Path) -> None:
        """Write the columns into the run's files, which are there already."""
        for name, column in self._columns.items():
            write_column(folder, name, np.frombuffer(column, dtype=CONNECTION_COLUMNS[name]))


def write_column(folder: Path, name: str, values: np.ndarray[Any, Any]) -> None:
    """Fill one column file of a run.

    Raises:
        ValueError: the file has room for another number of rows.
    """
    if not len(values):
        return
    column = np.load(folder / "connections" / f"{name}.npy", mmap_mode="r+")
    if column.shape != values.shape:
        raise ValueError(f"{name} has room for {len(column)} rows, not {len(values)}")
    column[:] = values
