"""HAProxy as a subject of the bench: one thread, TCP mode, no logs, our listener inherited.

HAProxy is never bundled; whatever the system has is used and its own version string recorded.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

#: A fresh user namespace may have a short search path.
_PLACES = os.pathsep.join(("/usr/sbin", "/usr/local/sbin", "/usr/bin", "/usr/local/bin"))

_CONFIG = """\
global
    nbthread 1
    maxconn {maxconn}
defaults
    mode tcp
    timeout connect 3s
    timeout client 60s
    timeout server 60s
frontend front
    bind fd@{listener}
    default_backend backends
backend backends
    balance roundrobin
{servers}
"""


def find() -> str | None:
    """The path of the system's haproxy, None when there is none."""
    return shutil.which("haproxy") or shutil.which("haproxy", path=_PLACES)


def version(binary: str) -> str:
    """Its own version string."""
    said = subprocess.run([binary, "-v"], capture_output=True, text=True, timeout=10, check=True)
    found = re.search(r"version\s+(\S+)", said.stdout)
    return found[1] if found else said.stdout.splitlines()[0]


def configuration(listener: int, endpoints: Sequence[tuple[str, int]], maxconn: int) -> str:
    """Its configuration file.

    Args:
        listener: descriptor it inherits.
        endpoints: where the backends listen.
        maxconn: most connections at once; it sizes its descriptor limit by this.
    """
    servers = "\n".join(
        f"    server s{index} {address}:{port}" for index, (address, port) in enumerate(endpoints)
    )
    return _CONFIG.format(listener=listener, servers=servers, maxconn=maxconn)


def start(
    binary: str, folder: Path, listener: int, endpoints: Sequence[tuple[str, int]], maxconn: int
) -> subprocess.Popen[bytes]:
    """Start it in the foreground of this process; the caller ends it by its pid."""
    path = folder / "haproxy.cfg"
    path.write_text(configuration(listener, endpoints, maxconn))
    return subprocess.Popen(
        [binary, "-q", "-db", "-f", str(path)],
        pass_fds=(listener,),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
    )
