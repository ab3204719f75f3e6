"""Balancers of others as this machine has them: where they are, their version, what is missing.

They are never bundled: whatever the system has is used, and its own version string recorded.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Final

#: Debian's packages, as apt-get wants them.
PACKAGES: Final = {"haproxy": "haproxy", "nginx": "nginx-light libnginx-mod-stream"}
#: A fresh user namespace may have a short search path.
_PLACES: Final = os.pathsep.join(("/usr/sbin", "/usr/local/sbin", "/usr/bin", "/usr/local/bin"))
_MODULES: Final = ("/usr/lib/nginx/modules", "/usr/lib64/nginx/modules", "/etc/nginx/modules")
_STREAM: Final = "ngx_stream_module.so"
_NO_STREAM: Final = (
    "nginx has no stream module here; on Debian: apt-get install libnginx-mod-stream"
)
_WITHIN_S: Final = 10
#: The nginx that first could pass an end on (proxy_half_close).
_PASSES_ENDS: Final = (1, 21, 4)


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """A balancer of others.

    Attributes:
        name: ``haproxy`` or ``nginx``.
        binary: its path, "" when it is not installed.
        version: its own word, "" when it has none.
        module: path of a module that it must load for TCP, "" where it needs none.
        missing: why it cannot be a driver, "" when it can.
    """

    name: str
    binary: str
    version: str
    module: str = ""
    missing: str = ""


def find(name: str) -> str:
    """The path of a program, "" when there is none."""
    return shutil.which(name) or shutil.which(name, path=_PLACES) or ""


def passes_ends(version: str) -> bool:
    """Whether an nginx can pass on the end of one side; one of no known version can."""
    found = re.match(r"(\d+)\.(\d+)\.(\d+)", version)
    return found is None or tuple(map(int, found.groups())) >= _PASSES_ENDS


def look_for(name: str) -> Peer:
    """What this machine has of ``haproxy`` or ``nginx``; takes a few milliseconds."""
    binary = find(name)
    if not binary:
        package = PACKAGES[name]
        missing = f"{name} is not installed here; on Debian: apt-get install {package}"
        return Peer(name=name, binary="", version="", missing=missing)
    said = _said(binary, "-v" if name == "haproxy" else "-V")
    found = re.search(r"(?:version\s+|nginx/)(\S+)", said)
    version = found[1] if found else ""
    if name != "nginx" or re.search(r"--with-stream(\s|$)", said):
        return Peer(name=name, binary=binary, version=version)
    places = [*re.findall(r"--modules-path=(\S+)", said), *_MODULES]
    module = next((path for place in places if (path := Path(place) / _STREAM).is_file()), None)
    missing = "" if module else _NO_STREAM
    return Peer(
        name=name, binary=binary, version=version, module=str(module or ""), missing=missing
    )


def _said(binary: str, flag: str) -> str:
    """What a program says of itself on either stream; "" when it says nothing in time."""
    try:
        done = subprocess.run(
            [binary, flag],
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_WITHIN_S,
            check=False,
            stdin=subprocess.DEVNULL,
            env={},
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout + done.stderr
