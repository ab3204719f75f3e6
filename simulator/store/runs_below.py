"""The runs that a name means: one run, or all of those in a folder that holds many."""

from __future__ import annotations

from pathlib import Path

from simulator.errors import UsageError
from simulator.store.layout import MANIFEST, is_run_id
from simulator.store.read import Entry, entry, list_runs, resolve


def runs_of(root: Path, name: str, variant: str | None = None) -> list[Entry]:
    """The runs that a name means, oldest first.

    Args:
        root: the results folder.
        name: what `read.resolve` knows (one run), a folder with the runs of one scenario, or a
            results folder that holds the runs of one scenario.
        variant: only its runs.

    Raises:
        UsageError: nothing has that name, or the folder holds runs of several scenarios or
            variants, of which none is chosen.
    """
    folder = Path(name)
    if not folder.is_dir() or (folder / MANIFEST).is_file():
        found = [entry(resolve(root, name))]
    else:
        found = _series(folder, variant)
    chosen = [one for one in found if variant is None or one.variant == variant]
    if not chosen:
        raise UsageError(f"{name} holds no run of a variant {variant}")
    return chosen


def _series(folder: Path, variant: str | None) -> list[Entry]:
    found = [one for one in _entries(folder) if one.status != "unreadable"]
    if not found:
        raise UsageError(f"{folder} holds no run that can be read")
    scenarios = sorted({one.scenario for one in found})
    if len(scenarios) > 1:
        names = ", ".join(scenarios)
        raise UsageError(f"{folder} holds runs of several scenarios ({names}); name one's folder")
    variants = sorted({one.variant for one in found})
    if len(variants) > 1 and variant is None:
        names = ", ".join(variants)
        raise UsageError(f"{folder} holds runs of several variants ({names}); choose --variant")
    return sorted(found, key=lambda one: (one.started, one.run_id))


def _entries(folder: Path) -> list[Entry]:
    """Of a results folder, or of a scenario's folder in it."""
    return list(map(entry, folders_in(folder))) or list_runs(folder)


def folders_in(folder: Path) -> list[Path]:
    """The folders of runs right inside a scenario's folder; links are not followed."""
    return [
        path
        for path in folder.iterdir()
        if is_run_id(path.name) and not path.is_symlink() and (path / MANIFEST).is_file()
    ]
