"""Stored runs for tests of the verbs that read them: complete, running, aborted, damaged."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

from simulator.measure.summary import summarize
from simulator.records import Call, Ending
from simulator.store.read import load_run
from tests.support.runs import MS, RunBuilder

if TYPE_CHECKING:
    from pathlib import Path


def hand_made() -> RunBuilder:
    """Three connections planned; two end well, one fails."""
    made = RunBuilder().planned([0, 10 * MS, 20 * MS]).started()
    return made.ok(0).ok(1).failed(2, Call.RECV, Ending.EOF)


def complete(root: Path, started: str = "2026-01-01T12:00:00+00:00") -> Path:
    """The folder of a run that came to its end."""
    with hand_made().write(root) as writer:
        writer.finish(summarize(load_run(writer.folder)))
    change_manifest(writer.folder, started=started)
    return writer.folder


def running(root: Path, started: str = "2026-01-02T12:00:00+00:00") -> Path:
    """The folder of a run without a summary whose owner, this process, is alive."""
    with hand_made().write(root) as writer:
        pass
    change_manifest(writer.folder, started=started)
    return writer.folder


def aborted(root: Path, started: str = "2026-01-03T12:00:00+00:00") -> Path:
    """The folder of a run without a summary; its owner had our pid in another boot."""
    folder = running(root, started)
    owner = {"pid": os.getpid(), "start_ticks": 1, "boot_id": "another boot"}
    change_manifest(folder, owner=owner)
    return folder


def change_manifest(folder: Path, **changes: Any) -> None:  # noqa: ANN401 - any JSON value
    """Replace keys of a run's manifest."""
    path = folder / "manifest.json"
    manifest = json.loads(path.read_text())
    path.write_text(json.dumps({**manifest, **changes}))
