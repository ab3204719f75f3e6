"""`portchurn clean`: remove what dead runs left behind, and only that."""

from __future__ import annotations

import shutil
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from simulator.errors import EXIT_INTERNAL, EXIT_OK

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@click.command(name="clean")
@click.option("--dry-run", is_flag=True, help="Only say what would be removed.")
@click.option("--aborted", is_flag=True, help="Also delete the results of aborted runs.")
@click.option(
    "--results",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("results"),
    show_default=True,
    help="Where results are.",
)
def command(dry_run: bool, aborted: bool, results: Path) -> None:
    """Remove leftovers of runs whose owner is dead: processes and temporary folders.

    What belongs to a living run is never touched. Results stay, unless --aborted asks to delete
    those of runs that did not come to their end.
    """
    said = "would remove" if dry_run else "removed"
    count, failures = 0, 0
    for line, remove in _found(results if aborted else None):
        if dry_run:
            count += 1
            click.echo(f"{said} {line}")
            continue
        try:
            done = remove()
        except OSError as error:
            failures += 1
            click.echo(f"could not remove {line}: {error.strerror}", err=True)
            continue
        if done:
            count += 1
            click.echo(f"{said} {line}")
    if not count and not failures:
        click.echo("Nothing was left behind.")
    sys.exit(EXIT_INTERNAL if failures else EXIT_OK)


def _found(results: Path | None) -> Iterator[tuple[str, Callable[[], bool]]]:
    """Each leftover: what it is called, and what removes it and says whether it was there."""
    from simulator.kernel.leftovers import (
        end_process,
        left_folders,
        left_processes,
        remove_folder,
    )
    from simulator.report.safe_text import safe

    for process in left_processes():
        name = f"process {process.pid} ({safe(process.command)}) of run {process.run_id}"
        yield name, partial(end_process, process)
    for folder in left_folders():
        yield f"folder {safe(folder.path, 4096)}", partial(_did, partial(remove_folder, folder))
    if results is not None:
        from simulator.store.read import list_runs

        for entry in list_runs(results):
            # A folder that cannot be read is not known to be ours: a person has to look at it.
            if entry.status == "aborted":
                remove = partial(_did, partial(shutil.rmtree, entry.path))
                yield f"results {safe(entry.path, 4096)}", remove


def _did(action: Callable[[], object]) -> bool:
    action()
    return True
