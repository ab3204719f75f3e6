"""The ledger: plan and connection columns as flat memory, shared by everyone who maps the files.

Each column is a standard ``.npy`` file. The generator writes its rows in place; the conductor and
later readers see them at once, and the kernel keeps them when any of the processes is killed. No
numpy here, so that generator processes stay small.
"""

from __future__ import annotations

import ast
import mmap
import struct
from typing import TYPE_CHECKING, Any, Final, Literal

from simulator.records import (
    CONNECTION_COLUMNS,
    OPTIONAL_COLUMNS,
    PLAN_COLUMNS,
    SERVICE_COLUMNS,
)

if TYPE_CHECKING:
    from pathlib import Path

_CODES: Final[dict[str, Literal["q", "i", "h", "B"]]] = {
    "<i8": "q",
    "<i4": "i",
    "<i2": "h",
    "|u1": "B",
}

#: A flat, typed view; indexing gives and takes plain ints.
Column = Any


def _header(data: bytes) -> tuple[int, str, int]:
    """Data offset, dtype and rows of a one-dimensional .npy file (format 1.0 or 2.0).

    Raises:
        ValueError: not such a file.
    """
    if data[:6] != b"\x93NUMPY":
        raise ValueError("is not a .npy file")
    wide = data[6] >= 2
    start = 12 if wide else 10
    length = int.from_bytes(data[8:start], "little")
    fields = ast.literal_eval(data[start : start + length].decode("latin-1"))
    (rows,) = fields["shape"]
    return start + length, fields["descr"], rows


def map_column(path: Path, dtype: str, *, writable: bool) -> Column:
    """Map one column file.

    Raises:
        ValueError: the file does not hold what its name promises.
    """
    with path.open("r+b" if writable else "rb") as file:
        access = mmap.ACCESS_WRITE if writable else mmap.ACCESS_READ
        mapped = mmap.mmap(file.fileno(), 0, access=access)
    offset, found, rows = _header(mapped[:256])
    if found != dtype:
        raise ValueError(f"{path.name} holds {found}, not {dtype}")
    code = _CODES[dtype]
    end = offset + rows * struct.calcsize(code)
    if len(mapped) < end:
        raise ValueError(f"{path.name} is cut short: {len(mapped)} bytes, not {end}")
    return memoryview(mapped)[offset:end].cast(code)


class Ledger:
    """All columns of one run, mapped; kept open for the life of the process.

    Attributes:
        plan: PLAN_COLUMNS, ``service_ns`` and what there is of OPTIONAL_COLUMNS, read only.
        rows: CONNECTION_COLUMNS, writable.
    """

    def __init__(self, folder: Path) -> None:
        self.plan: dict[str, Column] = {
            name: map_column(folder / "plan" / f"{name}.npy", dtype, writable=False)
            for name, dtype in (PLAN_COLUMNS | SERVICE_COLUMNS).items()
        }
        for name, dtype in OPTIONAL_COLUMNS.items():
            path = folder / "plan" / f"{name}.npy"
            if path.exists():
                self.plan[name] = map_column(path, dtype, writable=False)
        self.rows: dict[str, Column] = {
            name: map_column(folder / "connections" / f"{name}.npy", dtype, writable=True)
            for name, dtype in CONNECTION_COLUMNS.items()
        }

    def __len__(self) -> int:
        return len(self.plan["due_ns"])
