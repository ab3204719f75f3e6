"""Loops made fast by numba where it is installed (the `jit` extra); nothing needs it.

What is compiled is kept in the user's own cache folder, never beside the package, which may belong
to somebody else. Compiling is done by one call on next to nothing, before any clock is started.
"""

from __future__ import annotations

import os
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable


def cache_folder() -> Path:
    """Where compiled code is kept: ``$XDG_CACHE_HOME/portchurn``, by default ``~/.cache``."""
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(home) / "portchurn" / "compiled"


@cache
def compiler() -> Callable[[Callable[..., Any]], Callable[..., Any]] | None:
    """What makes a loop fast, None where numba is not installed."""
    try:
        numba: Any = import_module("numba")
    except ModuleNotFoundError:
        return None
    keeps = True
    try:
        cache_folder().mkdir(parents=True, exist_ok=True)
    except OSError:
        keeps = False  # a few seconds more each time
    numba.config.CACHE_DIR = str(cache_folder())

    def made_fast(loop: Callable[..., Any]) -> Callable[..., Any]:
        # No reordering of floating point: results must be those of the loop as it is written.
        fast: Callable[..., Any] = numba.njit(cache=keeps, fastmath=False)(loop)
        return fast

    return made_fast
