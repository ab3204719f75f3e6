"""Where compiled code is kept between starts, and its first compilation before a run.

Numba would keep it beside the source, which may be an installed package. It is code that is loaded
and run, so the folder is the user's own or none at all: without one, each start compiles anew.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Final

from simulator.errors import RunFailed

if TYPE_CHECKING:
    from collections.abc import Callable

_SOURCE: Final = Path(__file__).with_name("machine.py")
_VARIABLE: Final = "NUMBA_CACHE_DIR"
_LONGEST_S: Final = 300.0


def cache_folder() -> Path | None:
    """The folder of this user's compiled code, made if need be; None where there can be none.

    `NUMBA_CACHE_DIR` names another one, as for all of numba.
    """
    try:
        given = os.environ.get(_VARIABLE)
        base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
        folder = Path(given) if given else Path(base) / "portchurn" / "numba"
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    except (OSError, RuntimeError):  # no home, or a home that is not ours to write to
        return None
    return folder if os.access(folder, os.W_OK | os.X_OK) else None


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
    done = folder / f"relay-{_version()}.compiled"
    if done.exists():
        return
    say(f"Compiling the relay's data path: some seconds, once. It is kept in {folder}")
    command = [sys.executable, "-c", "import simulator.live.compiled.machine"]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=_LONGEST_S, check=False)
    if ended.returncode:
        raise RunFailed(f"The relay's data path did not compile:\n{ended.stderr[-2000:]}")
    done.touch()


def _version() -> str:
    """What compiled code depends on, in a few letters."""
    parts = (_SOURCE.read_bytes(), sys.version.encode(), metadata.version("numba").encode())
    return hashlib.sha256(b"\0".join(parts)).hexdigest()[:16]
