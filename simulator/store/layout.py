"""Where a run lives: ``results/<scenario slug>/<run id>/``, with names made by us alone.

No text from a scenario becomes a path: names are slugs of ``[a-z0-9-]``, and what could not be
kept goes into a short hash. Nothing is written through a symbolic link.
"""

from __future__ import annotations

import hashlib
import os
import re
import stat
from typing import TYPE_CHECKING, Final

from simulator.clock import monotonic_ns
from simulator.errors import Refused
from simulator.slugs import LATEST, MAX_SLUG, slug

if TYPE_CHECKING:
    import datetime as dt
    from pathlib import Path

MANIFEST: Final = "manifest.json"
SUMMARY: Final = "summary.json"
SCENARIO: Final = "scenario.yaml"
PLAN: Final = "plan"
CONNECTIONS: Final = "connections"
#: Of a run of the kernel beside which one of the model was made: its errors, by series.
AGREEMENT: Final = "agreement.json"
#: In the folder of a bench, and never in that of a run.
BENCH_ROWS: Final = "rows.json"
BENCH_SCHEMA: Final = "portchurn.bench/1"
MANIFEST_SCHEMA: Final = "portchurn.run/1"
LINE_STREAMS: Final = ("samples", "roles", "leases", "events", "folded")

#: Run ids of one second differ by 16 bits, so that two draws in a row are taken once in 65,536.
_MOST_DRAWS: Final = 16
_RUN_ID_RE: Final = re.compile(r"\d{8}-\d{6}(-[a-z0-9]+)*-[0-9a-f]{4}")


def is_run_id(name: str) -> bool:
    """Whether a name has the form of a run id."""
    return len(name) <= 2 * MAX_SLUG and _RUN_ID_RE.fullmatch(name) is not None


def new_run_id(started: dt.datetime, variant: str) -> str:
    """``YYYYMMDD-HHMMSS[-variant slug]-xxxx``; the last four digits tell runs of a second apart.

    Args:
        started: wall time in UTC, a label.
        variant: name of the variant as the scenario gives it, "" for none.
    """
    salt = hashlib.blake2b(f"{os.getpid()} {monotonic_ns()}".encode(), digest_size=2).hexdigest()
    middle = [slug(variant)] if variant else []
    return "-".join([started.strftime("%Y%m%d-%H%M%S"), *middle, salt])


def _refuse_link(path: Path) -> None:
    if path.is_symlink():
        raise Refused(
            f"{path} is a symbolic link, and results are not written through links; "
            f"name the real folder with --results"
        )


def make_folder(path: Path, *, exist_ok: bool) -> None:
    """Create one folder, never through a link.

    Raises:
        Refused: it cannot be created or is not a folder.
    """
    _refuse_link(path)
    try:
        path.mkdir(parents=False, exist_ok=exist_ok)
    except FileNotFoundError:
        raise Refused(
            f"the results folder {path} cannot be made: {path.parent} is missing"
        ) from None
    except FileExistsError:
        raise Refused(f"{path} exists and is not a folder; name another with --results") from None
    except OSError as error:
        raise Refused(f"the results folder {path} cannot be made: {error.strerror}") from None


def make_run_folder(above: Path, started: dt.datetime, variant: str) -> Path:
    """A new folder named by a run id; another id is drawn where one of this second has it.

    Raises:
        Refused: it cannot be created.
    """
    folder = above / new_run_id(started, variant)
    for _ in range(_MOST_DRAWS):
        if not os.path.lexists(folder):
            break
        folder = above / new_run_id(started, variant)
    make_folder(folder, exist_ok=False)
    return folder


def prepare_root(root: Path) -> None:
    """Make sure that runs can be written below ``root`` before anything starts.

    Raises:
        Refused: it is a file or a link, cannot be created, or cannot be written.
    """
    _refuse_link(root)
    try:
        root.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise Refused(f"the results folder {root} cannot be made: {error.strerror}") from None
    make_folder(root, exist_ok=True)
    if not os.access(root, os.W_OK | os.X_OK):
        raise Refused(f"the results folder {root} cannot be written; name another with --results")


def point_latest(root: Path, folder: Path) -> None:
    """Let ``root/latest`` point at a run, by a relative link that is replaced in one step.

    Raises:
        Refused: something that is not a link has the name.
    """
    link = root / LATEST
    try:
        if not stat.S_ISLNK(link.lstat().st_mode):
            raise Refused(f"{link} is in the way: it should be the link to the newest run")
    except FileNotFoundError:
        pass
    fresh = root / f".{LATEST}-{folder.name}"
    try:
        fresh.symlink_to(folder.relative_to(root))
        fresh.replace(link)
    except OSError as error:
        fresh.unlink(missing_ok=True)
        raise Refused(f"{link} cannot be written: {error.strerror}") from None
