"""Reading a run while it is being written, from its folder alone and without disturbing the writer.

The streams only grow, by whole lines, and the columns of outcomes are changed in place, so a reader
needs no lock and no word with the run: it reads on from where it was, and counts.
"""

from __future__ import annotations

import json
import os
import stat
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from simulator.clock import monotonic_ns
from simulator.records import Outcome
from simulator.store import owner
from simulator.store.layout import SUMMARY
from simulator.store.read import column_map, due_column, read_manifest

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from simulator.store.read import Column

#: No more is read of one stream at once, so that one look takes a short time.
_MOST_BYTES: Final = 1 << 20
#: Counting the rows takes at most one part in so many of the time.
_COUNT_SHARE: Final = 20


class Tail:
    """The whole lines of a stream that have come since the last look.

    Args:
        path: of a file that may not be there yet.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor = -1
        self._rest = b""

    def news(self) -> list[dict[str, Any]]:
        """New records, at most a mebibyte of them; a line that is no JSON object is left out."""
        if self._descriptor < 0 and not self._open():
            return []
        data = self._rest + os.read(self._descriptor, _MOST_BYTES)
        *lines, self._rest = data.split(b"\n")
        if len(self._rest) > _MOST_BYTES:  # no line of ours is as long
            self._rest = b""
        return [record for line in lines if (record := _record(line)) is not None]

    def _open(self) -> bool:
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        try:
            descriptor = os.open(self._path, flags)
        except OSError:
            return False
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            return False
        self._descriptor = descriptor
        return True

    def close(self) -> None:
        """Let go of the file."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
        self._descriptor = -1


def _record(line: bytes) -> dict[str, Any] | None:
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


@dataclass(frozen=True, slots=True, kw_only=True)
class News:
    """What has come since the last look.

    Attributes:
        samples: of the socket table.
        events: phases, churn, the end.
        counts: connections by outcome, of the whole run so far; as before when they were not
            counted this time.
        due: how many connections were due by the newest sample.
    """

    samples: list[dict[str, Any]] = field(default_factory=list)
    events: list[dict[str, Any]] = field(default_factory=list)
    counts: Mapping[str, int] = field(default_factory=dict)
    due: int = 0


class GrowingRun:
    """A run that is being written.

    Args:
        folder: of the run.
        now_ns: clock for the pace of counting.

    Attributes:
        folder: where.
        manifest: as the run wrote it first.

    Raises:
        UsageError: the folder is no run.
        ResultsIncomplete: the manifest or a column is damaged.
    """

    def __init__(self, folder: Path, now_ns: Callable[[], int] = monotonic_ns) -> None:
        self.folder = folder
        self.manifest = read_manifest(folder)
        self._now_ns = now_ns
        self._outcome = _mapped(column_map(folder)["outcome"])
        self._due = _mapped(due_column(folder))
        self._samples = Tail(folder / "samples.jsonl")
        self._events = Tail(folder / "events.jsonl")
        self._counts: dict[str, int] = {}
        self._count_after_ns = 0
        self._newest_ns = 0

    @property
    def status(self) -> str:
        """``running``; ``complete`` with a summary; ``aborted`` when its writer is gone."""
        # Asked before the summary is looked for: the writer ends only after it is there.
        who = self.manifest.get("owner")
        is_alive = isinstance(who, dict) and owner.is_alive(who)
        if (self.folder / SUMMARY).exists():
            return "complete"
        return "running" if is_alive else "aborted"

    def news(self) -> News:
        """What has come since the last look."""
        samples = [one for one in self._samples.news() if isinstance(one.get("t_ns"), int)]
        if samples:
            self._newest_ns = max(self._newest_ns, int(samples[-1]["t_ns"]))
        self._count()
        return News(
            samples=samples,
            events=self._events.news(),
            counts=self._counts,
            due=int(np.searchsorted(self._due, self._newest_ns, side="right")),
        )

    def _count(self) -> None:
        began = self._now_ns()
        if began < self._count_after_ns:
            return
        self._counts = {
            outcome.name: int(np.count_nonzero(self._outcome == outcome)) for outcome in Outcome
        }
        ended = self._now_ns()
        self._count_after_ns = ended + (ended - began) * _COUNT_SHARE

    def ask_to_stop(self) -> str:
        """Send the run what Ctrl-C would; what became of it, as a sentence.

        Whose process gets the signal is not taken from the folder alone, which may come from
        anybody: it must have a stream of this very run open for writing.
        """
        who = self.manifest.get("owner")
        if not isinstance(who, dict) or not owner.is_alive(who):
            return "The run has ended."
        try:
            watched = os.pidfd_open(who["pid"])
        except OSError:
            return "The run has ended."
        try:
            # After the process is held by a descriptor, so that it cannot be another by then.
            if not owner.is_alive(who):
                return "The run has ended."
            if not owner.writes_below(who["pid"], self.folder):
                return "The process that the run names is not writing it; nothing was asked of it."
            owner.interrupt(watched)
        except OSError as error:
            return f"The run cannot be asked: {error.strerror}."
        finally:
            os.close(watched)
        return "Stopping: no new connections, saving."

    def close(self) -> None:
        """Let go of the files."""
        self._samples.close()
        self._events.close()
        self._outcome = self._due = np.zeros(0, dtype=np.uint8)


def _mapped(column: Column) -> np.ndarray[Any, Any]:
    if column.rows == 0:
        return np.zeros(0, dtype=column.dtype)
    return np.memmap(
        column.path, dtype=column.dtype, mode="r", offset=column.offset, shape=(column.rows,)
    )
