"""Loops made fast by numba where it is installed (the `jit` extra); nothing needs it.

What is compiled is kept in the user's own cache folder, never beside the package, which may belong
to somebody else. Compiling is done by one call on next to nothing, before any clock is started.
"""

from __future__ import annotations

from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from simulator.kernel.compile_cache import compile_cache

if TYPE_CHECKING:
    from collections.abc import Callable


#: All that compiled code is made from.
_SOURCES: Final = ("model/stream_loops.py",)


@cache
def compiler() -> Callable[[Callable[..., Any]], Callable[..., Any]] | None:
    """What makes a loop fast, None where numba is not installed."""
    try:
        numba: Any = import_module("numba")
    except ModuleNotFoundError:
        return None
    folder = compile_cache("model", _SOURCES)
    if folder is not None:  # else a few seconds more each time
        numba.config.CACHE_DIR = str(folder)

    def made_fast(loop: Callable[..., Any]) -> Callable[..., Any]:
        # No reordering of floating point: results must be those of the loop as it is written.
        fast: Callable[..., Any] = numba.njit(cache=folder is not None, fastmath=False)(loop)
        return fast

    return made_fast
