"""Reading a stored bench back: what was measured, on which machine, and who was not there.

The folder may come from somebody else: regular files of bounded size, plain JSON, and rows that
lack a field or hold another kind of value are refused by name.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from simulator.errors import ResultsIncomplete, UsageError
from simulator.store.layout import BENCH_ROWS, BENCH_SCHEMA, MANIFEST

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_MOST_BYTES: Final = 16 << 20
_TABLE: Final = "table.txt"
_NUMBERS: Final = ("median", "low", "high", "ratio", "ratio_low", "ratio_high")
_WORDS: Final = ("bench", "subject", "metric", "unit", "against")


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchRow:
    """One metric of one subject over all rounds, as it is found and as it is stored.

    Attributes:
        bench: name of the bench, such as ``relay``.
        subject: what was measured.
        version: its own version, None when it is not installed.
        metric: what of it, such as ``cpu``.
        unit: unit of the values.
        median: the middle value; None when there is none, like all that follow.
        low: the lowest.
        high: the highest.
        n: rounds.
        against: the subject of the ratio, "" where there is nobody to compare with.
        ratio: middle one of the ratios formed in each round.
        ratio_low: the lowest of them.
        ratio_high: the highest of them.
    """

    bench: str
    subject: str
    version: str | None
    metric: str
    unit: str
    median: float | None
    low: float | None
    high: float | None
    n: int
    against: str
    ratio: float | None
    ratio_low: float | None
    ratio_high: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredBench:
    """One bench.

    Attributes:
        path: its folder.
        manifest: machine, versions, options, command.
        rows: what was found, in the order of the table.
        table: the same as people saw it, "" where it was not kept.
    """

    path: Path
    manifest: Mapping[str, Any]
    rows: tuple[BenchRow, ...]
    table: str


def is_bench(folder: Path) -> bool:
    """Whether a folder is that of a bench."""
    return (folder / BENCH_ROWS).is_file() and (folder / MANIFEST).is_file()


def read_bench(folder: Path) -> StoredBench:
    """Read one bench.

    Raises:
        UsageError: the folder is none, or of a version that this one does not read.
        ResultsIncomplete: a file is missing or damaged.
    """
    if not is_bench(folder):
        raise UsageError(f"{folder} is not a bench: it has no {BENCH_ROWS}")
    manifest = json_of(folder / MANIFEST)
    if not isinstance(manifest, dict) or manifest.get("schema") != BENCH_SCHEMA:
        raise UsageError(f"{folder / MANIFEST} is not of the schema {BENCH_SCHEMA}")
    rows = json_of(folder / BENCH_ROWS)
    if not isinstance(rows, list):
        raise ResultsIncomplete(f"{folder / BENCH_ROWS} is damaged: it holds no list")
    table = folder / _TABLE
    return StoredBench(
        path=folder,
        manifest=manifest,
        rows=tuple(_row(folder / BENCH_ROWS, row) for row in rows),
        table=_bounded(table).decode("utf-8", "replace") if table.is_file() else "",
    )


def json_of(path: Path) -> object:
    """A JSON file of bounded size.

    Raises:
        ResultsIncomplete: it is missing, larger, a link, or no JSON.
    """
    try:
        found: object = json.loads(_bounded(path))
    except (ValueError, RecursionError) as error:
        raise ResultsIncomplete(f"{path} is damaged: {error}") from None
    return found


def _bounded(path: Path) -> bytes:
    if path.is_symlink() or not path.is_file():
        raise ResultsIncomplete(f"{path} is not a regular file")
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise ResultsIncomplete(f"{path} is larger than {_MOST_BYTES >> 20} MiB")
        return path.read_bytes()
    except OSError as error:
        raise ResultsIncomplete(f"{path} cannot be read: {error.strerror}") from None


def _row(path: Path, row: object) -> BenchRow:
    if not isinstance(row, dict):
        raise ResultsIncomplete(f"{path} is damaged: a row is no JSON object")
    wrong = [name for name in _WORDS if not isinstance(row.get(name), str)]
    wrong += [name for name in _NUMBERS if not _is_number(row.get(name))]
    if wrong:
        raise ResultsIncomplete(f"{path} is damaged: {', '.join(wrong)} of a row")
    version, count = row.get("version"), row.get("n")
    given: dict[str, Any] = {name: row[name] for name in (*_WORDS, *_NUMBERS)}
    return BenchRow(
        **given,
        version=None if version is None else str(version),
        n=count if isinstance(count, int) else 0,
    )


def _is_number(value: object) -> bool:
    finite = isinstance(value, int | float) and abs(value) < float("inf")
    return value is None or (finite and not isinstance(value, bool))
