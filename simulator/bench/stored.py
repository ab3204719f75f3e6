"""Where a bench is kept: `results/bench-<name>/<id>/`, so that a number can be looked up again.

`manifest.json` (schema, machine, versions, options), `rows.json`, `rounds.json` (every value of
every round) and `table.txt`. The folders of runs are made by the same rules, and `portchurn list`
passes over these.
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from simulator import __version__
from simulator.clock import wall_label
from simulator.errors import Refused
from simulator.store import environment
from simulator.store.layout import (
    BENCH_ROWS,
    BENCH_SCHEMA,
    MANIFEST,
    make_folder,
    make_run_folder,
    prepare_root,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from simulator.bench.rows import Row


def keep(
    root: Path,
    name: str,
    *,
    rows: Sequence[Row],
    table: str,
    rounds: Mapping[str, Sequence[Mapping[str, float]]],
    options: Mapping[str, Any],
    command: Sequence[str],
) -> Path:
    """Write one bench.

    Args:
        root: the results folder; made when missing.
        name: of the bench.
        rows: what was found.
        table: the same for people.
        rounds: every value by subject.
        options: what its user chose.
        command: the command line, to do it again.

    Returns:
        The folder.

    Raises:
        Refused: it cannot be written.
    """
    root = Path(os.path.abspath(root))  # noqa: PTH100 - resolve() would follow links
    prepare_root(root)
    make_folder(root / f"bench-{name}", exist_ok=True)
    started = wall_label()
    folder = make_run_folder(root / f"bench-{name}", started, "")
    versions = {row.subject: row.version for row in rows}
    manifest = {
        "schema": BENCH_SCHEMA,
        "id": folder.name,
        "bench": name,
        "started": started.isoformat(),
        "version": __version__,
        "command": list(command),
        "options": dict(options),
        "subjects": versions,
        "absent": [subject for subject, version in versions.items() if version is None],
        "environment": environment.capture(),
    }
    try:
        _write(folder / MANIFEST, manifest)
        _write(folder / BENCH_ROWS, [asdict(row) for row in rows])
        _write(folder / "rounds.json", {subject: list(each) for subject, each in rounds.items()})
        (folder / "table.txt").write_text(f"{table}\n", encoding="utf-8")
    except OSError as error:
        raise Refused(f"{folder} cannot be written: {error.strerror}") from None
    return folder


def _write(path: Path, value: object) -> None:
    path.write_text(json.dumps(value, indent=1) + "\n", encoding="utf-8")
