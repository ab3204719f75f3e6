"""Reading runs back: one run as a `Run`, or what a results folder holds.

A results folder may come from somebody else, so nothing in it is trusted: regular files only,
sizes checked against the manifest before anything is mapped, no pickles, bounded lines. A run that
was killed is readable: a torn last line or row is dropped, since it was never whole.
"""

from __future__ import annotations

import json
import os
import stat
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
from pydantic import ValidationError

from simulator.engine import Run
from simulator.errors import ResultsIncomplete, UsageError
from simulator.records import (
    CONNECTION_COLUMNS,
    CUT_COLUMNS,
    DIAL_COLUMNS,
    OPTIONAL_COLUMNS,
    PLAN_COLUMNS,
    QUESTION_COLUMNS,
    REFUSAL_COLUMNS,
    SERVICE_COLUMNS,
    WALK_COLUMNS,
)
from simulator.scenario.phases import MAX_CONNECTIONS
from simulator.scenario.schema import Scenario
from simulator.slugs import LATEST, is_slug
from simulator.store import owner
from simulator.store.layout import (
    BENCH_ROWS,
    CONNECTIONS,
    MANIFEST,
    MANIFEST_SCHEMA,
    PLAN,
    SUMMARY,
    is_run_id,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_MAX_JSON_BYTES: Final = 64 << 20
_MAX_LINE_BYTES: Final = 4 << 20
_MAX_HEADER_BYTES: Final = 1024

Array = np.ndarray[Any, Any]


class Column(NamedTuple):
    """Where the values of one column lie, for whoever maps them to write in place."""

    path: Path
    offset: int  # bytes before the first value
    dtype: str
    rows: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One stored run in a list.

    Attributes:
        path: its folder.
        scenario: the scenario's slug.
        run_id: its name.
        title: the scenario's title, as given; may hold anything printable or not.
        variant: "" for none.
        started: UTC label, ISO 8601.
        engine: "kernel" or "model".
        status: "complete", "running", "aborted", or "unreadable".
        verdict: the verdict's code, "" without a summary.
        sentence: the verdict's sentence, "" without a summary.
        valid: whether the measurement is valid, None without a summary.
    """

    path: Path
    scenario: str
    run_id: str
    title: str = ""
    variant: str = ""
    started: str = ""
    engine: str = ""
    status: str = "unreadable"
    verdict: str = ""
    sentence: str = ""
    valid: bool | None = None


def _regular_size(path: Path) -> int:
    """Size of a regular file in bytes.

    Raises:
        ResultsIncomplete: it is missing, a link, or something that could block a reader.
    """
    try:
        facts = path.lstat()
    except OSError as error:
        raise ResultsIncomplete(f"{path} cannot be read: {error.strerror}") from None
    if not stat.S_ISREG(facts.st_mode):
        raise ResultsIncomplete(f"{path} is not a regular file")
    return facts.st_size


def read_json(path: Path) -> dict[str, Any]:
    """A regular file of bounded size that holds one JSON object.

    Raises:
        ResultsIncomplete: it is anything else.
    """
    if _regular_size(path) > _MAX_JSON_BYTES:
        raise ResultsIncomplete(f"{path} is larger than {_MAX_JSON_BYTES >> 20} MiB")
    try:
        value = json.loads(path.read_bytes())
    except (ValueError, RecursionError, OSError) as error:
        raise ResultsIncomplete(f"{path} is damaged: {error}") from None
    if not isinstance(value, dict):
        raise ResultsIncomplete(f"{path} is damaged: it holds no JSON object")
    return value


def read_manifest(folder: Path) -> dict[str, Any]:
    """The manifest of a run.

    Raises:
        UsageError: the folder is no run.
        ResultsIncomplete: the manifest is damaged.
    """
    path = folder / MANIFEST
    if not path.exists():
        raise UsageError(f"{folder} is not a run: it has no {MANIFEST}")
    manifest = read_json(path)
    if manifest.get("schema") != MANIFEST_SCHEMA:
        found = manifest.get("schema")
        raise UsageError(f"{path} has the schema {found!r}; this version reads {MANIFEST_SCHEMA}")
    rows = manifest.get("connections")
    if not isinstance(rows, int) or not 0 <= rows <= MAX_CONNECTIONS:
        raise ResultsIncomplete(f"{path} is damaged: connections is {rows!r}")
    return manifest


def read_summary(folder: Path) -> dict[str, Any] | None:
    """The summary of a run, None when it has none (running or aborted).

    Raises:
        ResultsIncomplete: the summary is damaged.
    """
    path = folder / SUMMARY
    return read_json(path) if path.exists() else None


def _column(path: Path, dtype: str) -> Column:
    """Check one column's header and size.

    Raises:
        ResultsIncomplete: it is not what this version writes.
    """
    size = _regular_size(path)
    try:
        with path.open("rb") as file:
            if np.lib.format.read_magic(file) != (1, 0):
                raise ValueError("not version 1.0 of the format")
            shape, fortran, found = np.lib.format.read_array_header_1_0(
                file, max_header_size=_MAX_HEADER_BYTES
            )
            offset = file.tell()
    except (ValueError, OSError) as error:
        raise ResultsIncomplete(f"{path} is damaged: {error}") from None
    if found != np.dtype(dtype) or fortran or len(shape) != 1:
        raise ResultsIncomplete(f"{path} holds {found} of shape {shape}, not a column of {dtype}")
    if size != offset + shape[0] * found.itemsize:
        raise ResultsIncomplete(f"{path} is {size} bytes, which is not {shape[0]} rows")
    return Column(path, offset, dtype, shape[0])


def column_map(folder: Path) -> dict[str, Column]:
    """Where each connection column of a run lies, so that processes can write rows in place.

    Raises:
        ResultsIncomplete: a column is missing or damaged.
    """
    return {
        name: _column(folder / CONNECTIONS / f"{name}.npy", dtype)
        for name, dtype in CONNECTION_COLUMNS.items()
    }


def due_column(folder: Path) -> Column:
    """Where the moments lie at which the connections of a run are due.

    Raises:
        ResultsIncomplete: the column is missing or damaged.
    """
    return _column(folder / PLAN / "due_ns.npy", PLAN_COLUMNS["due_ns"])


def _load_columns(folder: Path, dtypes: Mapping[str, str], rows: int | None) -> dict[str, Array]:
    found: dict[str, Array] = {}
    for name, dtype in dtypes.items():
        column = _column(folder / f"{name}.npy", dtype)
        if rows is not None and column.rows != rows:
            raise ResultsIncomplete(f"{column.path} has {column.rows} rows, not {rows}")
        found[name] = np.load(column.path, mmap_mode="r", allow_pickle=False)
    return found


def _lines(path: Path) -> Iterator[tuple[int, bytes]]:
    with path.open("rb") as file:
        number = 0
        while line := file.readline(_MAX_LINE_BYTES):
            number += 1
            yield number, line


def _load_lines(path: Path) -> list[dict[str, Any]]:
    """All whole lines; a last line without its end was torn by a kill and is left out.

    Raises:
        ResultsIncomplete: a line in the middle is not a JSON object.
    """
    if not path.exists():
        return []
    _regular_size(path)
    found: list[dict[str, Any]] = []
    for number, line in _lines(path):
        if not line.endswith(b"\n") and len(line) < _MAX_LINE_BYTES:
            break
        try:
            record = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise ResultsIncomplete(f"{path}:{number} is damaged: {error}") from None
        if not isinstance(record, dict):
            raise ResultsIncomplete(f"{path}:{number} is damaged: it is no JSON object")
        found.append(record)
    return found


def _load_timed_lines(path: Path) -> list[dict[str, Any]]:
    """Lines in time order: several roles write one stream through the conductor."""
    lines = _load_lines(path)
    lines.sort(key=lambda record: record.get("t_ns", 0))
    return lines


def _load_rows(folder: Path, stream: str, columns: Mapping[str, str]) -> dict[str, Array]:
    """Rows of all workers; a torn last row of a file is left out."""
    width = len(columns)
    blocks = [np.empty((0, width), dtype="<i8")]
    for path in sorted(folder.glob(f"{stream}-*.bin")):
        whole = _regular_size(path) // (8 * width)
        blocks.append(np.fromfile(path, dtype="<i8", count=whole * width).reshape(whole, width))
    table = np.concatenate(blocks)
    return {name: np.ascontiguousarray(table[:, index]) for index, name in enumerate(columns)}


def load_run(folder: Path) -> Run:
    """Read a run back, complete or not.

    Args:
        folder: a run's folder, as from `resolve`.

    Raises:
        UsageError: it is no run, or one that this version cannot read.
        ResultsIncomplete: a file is missing or damaged.
    """
    manifest = read_manifest(folder)
    rows = manifest["connections"]
    try:
        scenario = Scenario.model_validate(manifest.get("scenario_resolved"))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise UsageError(
            f"{folder} was made by version {manifest.get('version')}, whose scenario this version "
            f"does not know: {where}: {first['msg']}"
        ) from None
    plan = _load_columns(folder / PLAN, PLAN_COLUMNS, rows)
    plan |= _load_columns(folder / PLAN, SERVICE_COLUMNS, None)
    there = {
        name: dtype
        for name, dtype in OPTIONAL_COLUMNS.items()
        if (folder / PLAN / f"{name}.npy").exists()
    }
    plan |= _load_columns(folder / PLAN, there, None)
    return Run(
        manifest=manifest,
        scenario=scenario,
        plan=plan,
        connections=_load_columns(folder / CONNECTIONS, CONNECTION_COLUMNS, rows),
        dials=_load_rows(folder, "dials", DIAL_COLUMNS),
        refusals=_load_rows(folder, "refusals", REFUSAL_COLUMNS),
        sidecar_dials=_load_rows(folder, "sidecar-dials", DIAL_COLUMNS),
        sidecar_refusals=_load_rows(folder, "sidecar-refusals", REFUSAL_COLUMNS),
        sidecar_cuts=_load_rows(folder, "sidecar-cuts", CUT_COLUMNS),
        questions=_load_rows(folder, "questions", QUESTION_COLUMNS),
        walks=_load_rows(folder, "walks", WALK_COLUMNS),
        samples=_load_timed_lines(folder / "samples.jsonl"),
        roles=_load_timed_lines(folder / "roles.jsonl"),
        leases=_load_lines(folder / "leases.jsonl"),
        events=_load_timed_lines(folder / "events.jsonl"),
        folded=next(reversed(_load_lines(folder / "folded.jsonl")), None),
    )


def _status(folder: Path, manifest: Mapping[str, Any]) -> str:
    if (folder / SUMMARY).exists():
        return "complete"
    who = manifest.get("owner")
    return "running" if isinstance(who, dict) and owner.is_alive(who) else "aborted"


def entry(folder: Path) -> Entry:
    """What a list says of one run; a damaged one is listed as unreadable."""
    blank = Entry(path=folder, scenario=folder.parent.name, run_id=folder.name)
    try:
        manifest = read_manifest(folder)
        summary = read_summary(folder) or {}
    except (ResultsIncomplete, UsageError):
        return blank
    verdict = summary.get("verdict")
    verdict = verdict if isinstance(verdict, dict) else {}
    return Entry(
        path=folder,
        scenario=folder.parent.name,
        run_id=folder.name,
        title=str(manifest.get("title", "")),
        variant=str(manifest.get("variant", "")),
        started=str(manifest.get("started", "")),
        engine=str(manifest.get("engine", "")),
        status=_status(folder, manifest),
        verdict=str(verdict.get("code", "")),
        sentence=str(verdict.get("sentence", "")),
        valid=bool(summary["valid"]) if "valid" in summary else None,
    )


def _folders(root: Path) -> Iterator[Path]:
    for scenario in _subfolders(root):
        if is_slug(scenario.name):
            yield from (
                run
                for run in _subfolders(scenario)
                if is_run_id(run.name) and not (run / BENCH_ROWS).exists()
            )


def _subfolders(folder: Path) -> list[Path]:
    try:
        with os.scandir(folder) as found:
            return [Path(item.path) for item in found if item.is_dir(follow_symlinks=False)]
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise UsageError(f"{folder} cannot be read: {error.strerror}") from None


def list_runs(root: Path) -> list[Entry]:
    """All runs below a results folder, newest first; a missing folder holds none."""
    return sorted(map(entry, _folders(root)), key=lambda e: (e.started, e.run_id), reverse=True)


def resolve(root: Path, name: str) -> Path:
    """The folder of the run that a name means.

    Args:
        root: the results folder.
        name: ``latest``, a run id, a scenario's slug (its newest run), or a path to a run.

    Raises:
        UsageError: nothing has that name; the message names the nearest that exists.
    """
    if name == LATEST:
        return _latest(root)
    folders = list(_folders(root))
    for folder in folders:
        if folder.name == name:
            return folder
    of_scenario = [entry(folder) for folder in folders if folder.parent.name == name]
    if of_scenario:
        return max(of_scenario, key=lambda e: (e.started, e.run_id)).path
    path = Path(name)
    if (path / MANIFEST).is_file():
        return path
    known = sorted({folder.name for folder in folders} | {f.parent.name for f in folders})
    near = get_close_matches(name, known, 1)
    hint = f"did you mean {near[0]}?" if near else "see `portchurn list` for what there is"
    raise UsageError(f"no run or scenario in {root} is called {name}; {hint}")


def _latest(root: Path) -> Path:
    """Where the link points, or the newest run when the link is broken or missing."""
    link = root / LATEST
    target = link.resolve()
    if link.is_symlink() and target.is_relative_to(root.resolve()) and target.is_dir():
        return target
    runs = list_runs(root)
    if not runs:
        raise UsageError(f"there is no run in {root}; start with `portchurn run SCENARIO`")
    return runs[0].path
