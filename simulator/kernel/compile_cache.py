"""Where compiled code is kept between starts: a folder of the user's own, or none.

Numba would keep it beside the source, which may be an installed package of somebody else's. It is
code that is loaded and run, so nobody but the user may write there.

Numba knows a function that it has kept by the file it stands in, and does not look at the files of
what it calls or of the numbers in it. So the folder is another one when any of them has changed.
"""

from __future__ import annotations

import hashlib
import os
import sys
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

PACKAGE: Final = Path(__file__).parents[1]


def compile_cache(what: str, sources: Sequence[str]) -> Path | None:
    """The folder for one kind of compiled code, made if need be; None where there can be none.

    It is below `NUMBA_CACHE_DIR` where that is set, as for all of numba, else below
    `XDG_CACHE_HOME` or ``~/.cache``.

    Args:
        what: first part of its name.
        sources: every file that the code is made from, below the package.
    """
    try:
        given = os.environ.get("NUMBA_CACHE_DIR")
        base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
        above = Path(given) if given else Path(base)
        folder = above / "portchurn" / f"{what}-{_version(sources)}"
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    except (OSError, RuntimeError):  # no home, or a home that is not ours to write to
        return None
    return folder if os.access(folder, os.W_OK | os.X_OK) else None


def _version(sources: Sequence[str]) -> str:
    """What compiled code depends on, in a few letters."""
    parts = [(PACKAGE / name).read_bytes() for name in sources]
    parts += [sys.version.encode(), metadata.version("numba").encode()]
    return hashlib.sha256(b"\0".join(parts)).hexdigest()[:16]
