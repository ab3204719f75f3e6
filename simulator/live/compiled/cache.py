"""Where compiled code is kept between starts, and its first compilation before a run.

Numba would keep it beside the source, which may be an installed package. It is code that is loaded
and run, so the folder is the user's own or none at all: without one, each start compiles anew.

Numba knows a function that it has kept by the file it stands in, and does not look at the files of
what it calls or of the numbers in it. So the folder is another one when any of them has changed.
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

_PACKAGE: Final = Path(__file__).parents[2]
#: All that compiled code is made from.
_SOURCES: Final = (
    *("live/compiled/layout.py", "live/compiled/libc.py"),
    *("live/compiled/machine.py", "live/compiled/dialing.py"),
    *("live/pairs.py", "live/reactor.py", "kernel/sockets.py", "records.py"),
)
_LONGEST_S: Final = 300.0


def cache_folder() -> Path | None:
    """The folder of this user's compiled code, made if need be; None where there can be none.

    It is below `NUMBA_CACHE_DIR` where that is set, as for all of numba.
    """
    try:
        given = os.environ.get("NUMBA_CACHE_DIR")
        base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
        folder = (Path(given) if given else Path(base)) / "portchurn" / f"relay-{_version()}"
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
    done = folder / "complete"
    if done.exists():
        return
    say(f"Compiling the relay's data path: some seconds, once. It is kept in {folder}")
    command = [sys.executable, "-c", "import simulator.live.compiled.relay"]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=_LONGEST_S, check=False)
    if ended.returncode:
        raise RunFailed(f"The relay's data path did not compile:\n{ended.stderr[-2000:]}")
    done.touch()


def _version() -> str:
    """What compiled code depends on, in a few letters."""
    parts = [(_PACKAGE / name).read_bytes() for name in _SOURCES]
    parts += [sys.version.encode(), metadata.version("numba").encode()]
    return hashlib.sha256(b"\0".join(parts)).hexdigest()[:16]
