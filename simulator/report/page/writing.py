"""Writing a page: whole or not at all, and never through a link that somebody put there."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def write_whole(path: Path, content: str) -> None:
    """Write a file so that it is whole or not there.

    Raises:
        OSError: the disk would not take it.
    """
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        # A new file by a name of our own: never through a link that somebody put there.
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o644)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(content)
        fresh.replace(path)
    except OSError:
        fresh.unlink(missing_ok=True)
        raise
