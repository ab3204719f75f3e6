"""Read a trace: a CSV file of moments at which connections are due, below the scenario's folder.

The file may come from a stranger like the scenario itself, so it is bounded in size and rows, is
opened without following a link on its way, and each error is named with its line and column.
"""

from __future__ import annotations

import os
import re
import stat
from array import array
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from simulator.errors import ScenarioError
from simulator.scenario.complaint import printable
from simulator.scenario.fields import MAX_DURATION_NS
from simulator.units import NS_PER_S, format_ns

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from simulator.scenario.phases import Phase
    from simulator.scenario.schema import Scenario

MAX_TRACE_BYTES: Final = 64 << 20
MAX_TRACE_ROWS: Final = 1_000_000
#: Columns of a trace and the most that each may hold, in ns or bytes.
COLUMNS: Final = {
    "due_s": MAX_DURATION_NS,
    "lifetime_s": MAX_DURATION_NS,
    "request_bytes": 16 << 20,
    "response_bytes": 64 << 20,
}
_SECONDS_RE: Final = re.compile(r"([0-9]{1,6})(?:\.([0-9]{1,9}))?")
_BYTES_RE: Final = re.compile(r"[0-9]{1,10}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Trace:
    """The rows of a trace, one item of each column a connection, in order of their due time.

    Attributes:
        due_ns: since the phase began.
        lifetime_ns, request_bytes, response_bytes: None where the file has no such column, and
            the phase's own value holds.
    """

    due_ns: Sequence[int]
    lifetime_ns: Sequence[int] | None = None
    request_bytes: Sequence[int] | None = None
    response_bytes: Sequence[int] | None = None


def read_traces(folder: Path, scenarios: Sequence[Scenario]) -> dict[str, Trace]:
    """Every trace that some scenarios name, by its name.

    Args:
        folder: the folder of the scenario file.
        scenarios: the base and its variants.

    Raises:
        ScenarioError: a trace cannot be read, is wrong, or does not fit its phase.
    """
    traces: dict[str, Trace] = {}
    phases = ((scenario, phase) for scenario in scenarios for phase in scenario.traffic)
    for scenario, phase in phases:
        name = phase.arrivals.trace if phase.arrivals is not None else None
        if name is None:
            continue
        if name not in traces:
            traces[name] = parse_trace(read_below(folder, name, MAX_TRACE_BYTES, "trace"), name)
        _fits(traces[name], name, phase)
        if scenario.backends.kind == "echo":
            _suits_echo(traces[name], name)
    return traces


def _fits(trace: Trace, name: str, phase: Phase) -> None:
    if trace.due_ns[-1] >= phase.for_ns:
        raise ScenarioError(
            f"{printable(name)}: its last connection is due after {format_ns(trace.due_ns[-1])}, "
            f"but phase {printable(phase.name)} lasts {format_ns(phase.for_ns)}; lengthen `for`, "
            "or cut the trace"
        )


def _suits_echo(trace: Trace, name: str) -> None:
    if trace.response_bytes is not None:
        raise ScenarioError(
            f"{printable(name)}: has response_bytes, but an echo is as long as its request "
            "(backends.kind: echo); leave the column out"
        )
    if trace.request_bytes is not None and 0 in trace.request_bytes:
        raise ScenarioError(
            f"{printable(name)}: has request_bytes of 0, and of nothing there is no echo "
            "(backends.kind: echo)"
        )


def read_below(folder: Path, name: str, most_bytes: int, what: str) -> str:
    """The text of a file below a folder, without following any link below it.

    Args:
        folder: the folder of the scenario file.
        name: plain names joined by slashes.
        most_bytes: its greatest length.
        what: what such a file is called in errors.

    Raises:
        ScenarioError: it cannot be read, is too long, or is no text.
    """
    opened: list[int] = []
    try:
        opened.append(os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC))
        parts = name.split("/")
        for part in parts[:-1]:
            flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
            opened.append(os.open(part, flags, dir_fd=opened[-1]))
        # Without O_NONBLOCK the open of a FIFO would wait for a writer.
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        opened.append(os.open(parts[-1], flags, dir_fd=opened[-1]))
        if not stat.S_ISREG(os.fstat(opened[-1]).st_mode):
            raise ScenarioError(f"{printable(name)}: is no plain file")
        with open(opened[-1], "rb", closefd=False) as file:
            data = file.read(most_bytes + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise ScenarioError(
            f"{printable(name)}: cannot be read: {reason}; a {what} is a plain file below the "
            "scenario's folder, and no link leads to it"
        ) from None
    finally:
        for descriptor in opened:
            os.close(descriptor)
    if len(data) > most_bytes:
        raise ScenarioError(f"{printable(name)}: is larger than {most_bytes >> 10} KiB")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ScenarioError(f"{printable(name)}:{line}:1: is not UTF-8") from None


def parse_trace(text: str, name: str) -> Trace:
    """The rows of a trace's text; `name` is what errors call it.

    Raises:
        ScenarioError: a line is wrong; it is named with its column.
    """
    lines = text.replace("\r\n", "\n").removesuffix("\n").split("\n")
    columns = _header(lines[0], name)
    if len(lines) - 1 > MAX_TRACE_ROWS:
        raise ScenarioError(f"{printable(name)}: has more than {MAX_TRACE_ROWS:,} rows")
    if len(lines) == 1:
        raise _wrong(name, 2, 1, "is missing; give at least one connection below the header")
    values = {column: array("q") for column in columns}
    due = values["due_s"]
    for number, line in enumerate(lines[1:], 2):
        cells = list(_cells(line))
        if len(cells) != len(columns):
            count = f"has {len(cells)} values, but the header has {len(columns)}"
            raise _wrong(name, number, 1, count)
        for column, (at, cell) in zip(columns, cells, strict=True):
            value = _value(column, cell)
            if isinstance(value, str):
                raise _wrong(name, number, at, f"{column} {value}")
            if column == "due_s" and due and value < due[-1]:
                raise _wrong(name, number, at, "due_s is before that of the line above; sort them")
            values[column].append(value)
    return Trace(
        due_ns=due,
        lifetime_ns=values.get("lifetime_s"),
        request_bytes=values.get("request_bytes"),
        response_bytes=values.get("response_bytes"),
    )


def _header(line: str, name: str) -> list[str]:
    columns: list[str] = []
    for at, cell in _cells(line):
        if cell not in COLUMNS:
            known = ", ".join(COLUMNS)
            raise _wrong(name, 1, at, f"{printable(cell[:40])!r} is no column; they are {known}")
        if cell in columns:
            raise _wrong(name, 1, at, f"{cell} stands twice")
        columns.append(cell)
    if "due_s" not in columns:
        raise _wrong(name, 1, 1, "has no column due_s, when each connection is due, in seconds")
    return columns


def _cells(line: str) -> Iterator[tuple[int, str]]:
    """The cells of a line without their blanks, each with the column where it begins, from 1."""
    at = 0
    for cell in line.split(","):
        yield at + 1 + len(cell) - len(cell.lstrip()), cell.strip()
        at += len(cell) + 1


def _value(column: str, cell: str) -> int | str:
    """A cell's value in ns or bytes, or what is wrong with it."""
    most = COLUMNS[column]
    if column.endswith("_s"):
        found = _SECONDS_RE.fullmatch(cell)
        if not found:
            return f"is {printable(cell[:40])!r}; write seconds, such as 0.25, up to 9 decimals"
        whole, part = found[1], found[2] or ""
        value = int(whole) * NS_PER_S + int(part.ljust(9, "0"))
        return value if value <= most else f"is more than {format_ns(most)}"
    if not _BYTES_RE.fullmatch(cell):
        return f"is {printable(cell[:40])!r}; write bytes as a whole number, such as 512"
    return int(cell) if int(cell) <= most else f"is more than {most:,} bytes"


def _wrong(name: str, line: int, column: int, message: str) -> ScenarioError:
    return ScenarioError(f"{printable(name)}:{line}:{column}: {message}")
