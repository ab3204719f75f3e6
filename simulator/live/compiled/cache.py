"""The relay's compiled code: its folder between starts, and its first compilation before a run."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING, Final

from simulator.errors import RunFailed
from simulator.kernel.compile_cache import compile_cache

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

#: All that compiled code is made from.
_SOURCES: Final = (
    *("live/compiled/layout.py", "live/compiled/libc.py"),
    *("live/compiled/machine.py", "live/compiled/dialing.py"),
    *("live/pairs.py", "live/reactor.py", "kernel/sockets.py", "records.py"),
)
_LONGEST_S: Final = 300.0


def cache_folder() -> Path | None:
    """The folder of this user's compiled relay, made if need be; None where there can be none."""
    return compile_cache("relay", _SOURCES)


def keep_compiled_code() -> bool:
    """Have numba keep what it compiles from now on in the user's folder; whether it can."""
    from numba.core import config

    folder = cache_folder()
    if folder is None:
        return False
    config.CACHE_DIR = str(folder)  # type: ignore[attr-defined] # made when it is imported
    return True


def compile_first(say: Callable[[str], None]) -> None:
    """Compile now, unless it was done before, so that no run waits for it in the middle.

    Args:
        say: is given a line if it takes a while.

    Raises:
        RunFailed: it does not compile here.
    """
    folder = cache_folder()
    if folder is None:
        say("The relay's data path is compiled at each start: there is no folder to keep it in.")
        return
    done = folder / "complete"
    if done.exists():
        return
    say(f"Compiling the relay's data path: some seconds, once. It is kept in {folder}")
    command = [sys.executable, "-c", "import simulator.live.compiled.relay"]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=_LONGEST_S, check=False)
    if ended.returncode:
        raise RunFailed(f"The relay's data path did not compile:\n{ended.stderr[-2000:]}")
    done.touch()
