"""Writing a run: the manifest first, then what is seen as it is seen, the summary last.

Every line and every batch of rows goes to the kernel in one write before the call returns, so a
process that is killed loses nothing it has recorded. When the disk is full a stream is cut back
to its last whole record, and the caller gets one clear error.
"""

from __future__ import annotations

import errno
import json
import os
import shutil
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

import numpy as np

from simulator import __version__
from simulator.clock import wall_label
from simulator.engine import TEMPLATE, Job
from simulator.errors import InternalError, Refused, ResultsIncomplete
from simulator.records import (
    CONNECTION_COLUMNS,
    NOT_YET,
    OPTIONAL_COLUMNS,
    PLAN_COLUMNS,
    ROW_STREAMS,
    SERVICE_COLUMNS,
)
from simulator.slugs import LATEST, is_slug
from simulator.store import environment, owner
from simulator.store.layout import (
    CONNECTIONS,
    LINE_STREAMS,
    MANIFEST,
    MANIFEST_SCHEMA,
    PLAN,
    SCENARIO,
    SUMMARY,
    make_folder,
    make_run_folder,
    point_latest,
    prepare_root,
)
from simulator.units import format_bytes

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from types import TracebackType

    from simulator.scenario.schema import Scenario

_ROW_BYTES: Final = {stream: 8 * len(columns) for stream, columns in ROW_STREAMS.items()}
#: What a connection column holds before its row is taken up; all others start as zero.
_INITIAL: Final = {
    name: NOT_YET for name in CONNECTION_COLUMNS if name.endswith("_ns") or name == "backend"
}
_NEW_FILE: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


def _plain(value: object) -> object:
    """JSON form of a numpy scalar; anything else is our bug."""
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"{type(value).__name__} cannot be written as JSON")


def _encode(record: Mapping[str, Any], *, indent: int | None = None) -> bytes:
    separators = (",", ":") if indent is None else None
    text = json.dumps(
        record,
        default=_plain,
        allow_nan=False,
        ensure_ascii=True,
        indent=indent,
        separators=separators,
    )
    return text.encode("ascii") + b"\n"


def _write_all(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_durably(folder: Path, name: str, data: bytes) -> None:
    """Write a file so that it is either whole or not there, whatever is killed meanwhile."""
    fresh = folder / f".{name}.new"
    fresh.unlink(missing_ok=True)
    descriptor = os.open(fresh, _NEW_FILE, 0o644)
    try:
        try:
            _write_all(descriptor, data)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        fresh.replace(folder / name)
    except OSError:
        fresh.unlink(missing_ok=True)
        raise
    _sync_folder(folder)


def _save_column(path: Path, array: np.ndarray[Any, Any]) -> None:
    header = {"descr": array.dtype.str, "fortran_order": False, "shape": array.shape}
    with os.fdopen(os.open(path, _NEW_FILE, 0o644), "wb") as file:
        # not write_array: it writes by a path of its own, which loses the errno of a full disk
        np.lib.format.write_array_header_1_0(file, header)
        file.write(np.ascontiguousarray(array).data)


def _reserve_column(path: Path, dtype: str, rows: int, initial: int) -> None:
    """A column with its disk space taken now, so that a full disk is met before the run."""
    header = {"descr": dtype, "fortran_order": False, "shape": (rows,)}
    with os.fdopen(os.open(path, _NEW_FILE, 0o644), "wb") as file:
        np.lib.format.write_array_header_1_0(file, header)
        file.flush()
        start = file.tell()
        os.posix_fallocate(file.fileno(), 0, start + rows * np.dtype(dtype).itemsize)
        if initial:  # fallocate gives zeros
            block = np.full(min(rows, 1 << 16), initial, dtype=dtype)
            for first in range(0, rows, 1 << 16):
                file.write(block[: rows - first].data)


@dataclass(slots=True)
class _Stream:
    """An append-only file and the length of its whole records."""

    descriptor: int
    length: int = 0

    def append(self, data: bytes) -> None:
        """Write all of ``data`` or none of it.

        Raises:
            OSError: the disk would not take it; the file ends with the record before.
        """
        try:
            _write_all(self.descriptor, data)
        except OSError:
            # Cutting off needs no space, and leaves no torn record in the middle of a stream.
            os.ftruncate(self.descriptor, self.length)
            raise
        self.length += len(data)


class RunWriter:
    """Takes the records of one run; implements `engine.Recorder`.

    Attributes:
        folder: the run's folder.
        run_id: its name.
        scenario: the resolved scenario.
        connections: number of planned connections.
    """

    def __init__(self, folder: Path, scenario: Scenario, connections: int) -> None:
        self.folder = folder
        self.run_id = folder.name
        self.scenario = scenario
        self.connections = connections
        self._streams: dict[str, _Stream] = {}
        self._lost: str | None = None

    @property
    def job(self) -> Job:
        """What an engine is given to do."""
        return Job(scenario=self.scenario, folder=self.folder, connections=self.connections)

    @property
    def lost(self) -> str | None:
        """Why some records were not kept, None when all were."""
        return self._lost

    def _append(self, name: str, data: bytes) -> None:
        try:
            stream = self._streams.get(name)
            if stream is None:
                flags = _NEW_FILE | os.O_APPEND
                stream = _Stream(os.open(self.folder / name, flags, 0o644))
                self._streams[name] = stream
            stream.append(data)
        except OSError as error:
            raise self._incomplete(name, error) from None

    def _incomplete(self, name: str, error: OSError) -> ResultsIncomplete:
        self._lost = f"{self.folder / name} could not be written: {error.strerror}"
        hint = "; free some space or name another folder with --results"
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        return ResultsIncomplete(
            f"{self._lost}. What was measured before is kept{hint if full else ''}."
        )

    def line(self, stream: str, record: Mapping[str, Any]) -> None:
        """Append one JSON line to ``<stream>.jsonl``.

        Raises:
            ResultsIncomplete: the disk would not take it.
        """
        if stream not in LINE_STREAMS:
            raise InternalError(f"no stream of lines is called {stream}")
        self._append(f"{stream}.jsonl", _encode(record))

    def rows(self, stream: str, worker: int, data: bytes) -> None:
        """Append whole raw rows to ``<stream>-<worker>.bin``.

        Raises:
            ResultsIncomplete: the disk would not take them.
        """
        if stream not in _ROW_BYTES or worker < 0:
            raise InternalError(f"no stream of rows is called {stream}-{worker}")
        if len(data) % _ROW_BYTES[stream]:
            raise InternalError(f"{stream} were given {len(data)} bytes, which is no whole row")
        if data:
            self._append(f"{stream}-{worker}.bin", data)

    def keep_template(self, text: str) -> None:
        """Write the user's own configuration of a balancer, for the engine and for readers.

        Raises:
            ResultsIncomplete: the disk would not take it.
        """
        try:
            (self.folder / TEMPLATE).parent.mkdir(exist_ok=True)
            (self.folder / TEMPLATE).write_text(text, encoding="utf-8")
        except OSError as error:
            raise self._incomplete(TEMPLATE, error) from None

    def finish(self, summary: Mapping[str, Any]) -> None:
        """Write ``summary.json`` as the very last file: its presence means complete.

        Raises:
            ResultsIncomplete: the disk would not take it.
        """
        self.close()
        try:
            write_durably(self.folder, SUMMARY, _encode(summary, indent=1))
        except OSError as error:
            raise self._incomplete(SUMMARY, error) from None

    def close(self) -> None:
        """Close the streams; the run stays without a summary."""
        for stream in self._streams.values():
            os.close(stream.descriptor)
        self._streams.clear()

    def discard(self) -> None:
        """Remove a run that never began, and the link to it."""
        self.close()
        link = self.folder.parent.parent / LATEST
        with suppress(OSError):
            if link.resolve() == self.folder.resolve():
                link.unlink()
        shutil.rmtree(self.folder)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def _checked_plan(plan: Mapping[str, np.ndarray[Any, Any]]) -> int:
    extra = {name: dtype for name, dtype in OPTIONAL_COLUMNS.items() if name in plan}
    wanted = PLAN_COLUMNS | SERVICE_COLUMNS | extra
    if set(plan) != set(wanted):
        raise InternalError(f"the plan has the columns {sorted(plan)}, not {sorted(wanted)}")
    for name, dtype in wanted.items():
        if plan[name].dtype != np.dtype(dtype) or plan[name].ndim != 1:
            raise InternalError(f"the plan's {name} is {plan[name].dtype}, not {dtype}")
    lengths = {len(plan[name]) for name in PLAN_COLUMNS}
    if len(lengths) != 1:
        raise InternalError(f"the plan's columns have different lengths: {sorted(lengths)}")
    return lengths.pop()


def create_run(  # noqa: PLR0913 - the manifest is made of exactly these
    root: Path,
    *,
    slug: str,
    text: str,
    scenario: Scenario,
    variant: str,
    engine: str,
    command: Sequence[str],
    plan: Mapping[str, np.ndarray[Any, Any]],
    host: Mapping[str, Any] | None = None,
    without_rows: int | None = None,
) -> RunWriter:
    """Make the folder of a run, with its manifest, its plan, and room for its connections.

    Args:
        root: the results folder; made when missing.
        slug: the scenario's name in paths; see `layout.slug`.
        text: the scenario file as given.
        scenario: the resolved scenario of this variant.
        variant: the variant's name, "" for none.
        engine: "kernel" or "model".
        command: the command line, to do the run again.
        plan: PLAN_COLUMNS of shape (connections,) and ``service_ns``.
        host: facts about the machine; captured here when not given.
        without_rows: about how many connections are asked for, where no row of any is kept.

    Raises:
        Refused: the results cannot be kept; nothing is left behind.
    """
    if not is_slug(slug):
        raise InternalError(f"{slug!r} is not a slug")
    rows = _checked_plan(plan)
    root = Path(os.path.abspath(root))  # noqa: PTH100 - resolve() would follow links
    prepare_root(root)
    make_folder(root / slug, exist_ok=True)
    started = wall_label()
    folder = make_run_folder(root / slug, started, variant)
    manifest = {
        "schema": MANIFEST_SCHEMA,
        "id": folder.name,
        "scenario": slug,
        "title": scenario.title,
        "variant": variant,
        "started": started.isoformat(),
        "engine": engine,
        "seed": scenario.seed,
        "version": __version__,
        "command": list(command),
        "owner": owner.this_process().as_dict(),
        "connections": rows,
        **({} if without_rows is None else {"without_rows": without_rows}),
        "environment": dict(environment.capture() if host is None else host)
        | environment.driver_facts(scenario.balancer.driver),
        "scenario_text": text,
        "scenario_resolved": scenario.model_dump(mode="json", by_alias=True),
    }
    try:
        write_durably(folder, MANIFEST, _encode(manifest, indent=1))
        _fill(folder, text, plan, rows)
        point_latest(root, folder)
    except (OSError, Refused) as error:
        shutil.rmtree(folder)
        if isinstance(error, Refused):
            raise
        raise _no_room(root, plan, rows, error) from None
    return RunWriter(folder, scenario, rows)


def _fill(folder: Path, text: str, plan: Mapping[str, np.ndarray[Any, Any]], rows: int) -> None:
    write_durably(folder, SCENARIO, text.encode("utf-8", "surrogatepass"))
    (folder / PLAN).mkdir()
    for name in plan:
        _save_column(folder / PLAN / f"{name}.npy", plan[name])
    (folder / CONNECTIONS).mkdir()
    for name, dtype in CONNECTION_COLUMNS.items():
        path = folder / CONNECTIONS / f"{name}.npy"
        _reserve_column(path, dtype, rows, _INITIAL.get(name, 0))


def _no_room(
    root: Path, plan: Mapping[str, np.ndarray[Any, Any]], rows: int, error: OSError
) -> Refused:
    row_bytes = sum(np.dtype(dtype).itemsize for dtype in CONNECTION_COLUMNS.values())
    need = rows * row_bytes + sum(array.nbytes for array in plan.values())
    free = shutil.disk_usage(root).free
    return Refused(
        f"the results cannot be kept in {root}: {error.strerror}. {rows:,} connections need "
        f"{format_bytes(need)} for plan and records, {format_bytes(free)} are free; "
        f"name another folder with --results or ask for fewer connections"
    )
