"""nginx's stream module as a subject of the bench: one process, no logs.

nginx is never bundled; whatever the system has is used and its own version string recorded. As a
single process it crashes on a listener that it inherits (1.22), so it opens its own.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

from simulator.kernel.peers import passes_ends

if TYPE_CHECKING:
    from collections.abc import Sequence

#: A fresh user namespace may have a short search path.
_PLACES = os.pathsep.join(("/usr/sbin", "/usr/local/sbin", "/usr/bin", "/usr/local/bin"))
#: Where distributions put the module when it is not built in.
_MODULES = ("/usr/lib/nginx/modules", "/usr/lib64/nginx/modules", "/usr/local/lib/nginx/modules")
_MODULE = "ngx_stream_module.so"

_CONFIG = """\
{load}daemon off;
master_process off;
pid {folder}/nginx.pid;
error_log {folder}/nginx.log crit;
worker_rlimit_nofile {descriptors};
events {{
    worker_connections {descriptors};
}}
stream {{
    upstream backends {{
{servers}
    }}
    server {{
        listen {address}:{port} backlog=4096;
        proxy_connect_timeout 3s;
        proxy_timeout 60s;{half_close}
        proxy_pass backends;
    }}
}}
"""


def module() -> Path | None:
    """The stream module's file, None when there is none."""
    for folder in _MODULES:
        if (path := Path(folder) / _MODULE).is_file():
            return path
    return None


def _said(binary: str) -> str:
    done = subprocess.run([binary, "-V"], capture_output=True, text=True, timeout=10, check=True)
    return done.stderr


def _is_built_in(said: str) -> bool:
    return re.search(r"--with-stream(\s|$)", said) is not None


def find() -> str | None:
    """The path of an nginx that has the stream module, None when there is none."""
    binary = shutil.which("nginx") or shutil.which("nginx", path=_PLACES)
    if binary is None or not (module() or _is_built_in(_said(binary))):
        return None
    return binary


def version(binary: str) -> str:
    """Its own version string."""
    said = _said(binary)
    found = re.search(r"version:\s*nginx/(\S+)", said)
    return found[1] if found else said.splitlines()[0]


def configuration(
    folder: Path,
    front: tuple[str, int],
    endpoints: Sequence[tuple[str, int]],
    maxconn: int,
    *,
    half_close: bool = False,
) -> str:
    """Its configuration file.

    Args:
        folder: where it may write its process id and errors.
        front: where it shall listen.
        endpoints: where the backends listen.
        maxconn: most connections at once, of two descriptors each.
        half_close: whether it passes on the end of one side; by itself it does not.
    """
    found = module()
    return _CONFIG.format(
        load=f"load_module {found};\n" if found else "",
        folder=folder,
        descriptors=2 * maxconn + 64,
        servers="\n".join(f"        server {address}:{port};" for address, port in endpoints),
        half_close="\n        proxy_half_close on;" if half_close else "",
        address=front[0],
        port=front[1],
    )


def start(
    binary: str,
    folder: Path,
    front: tuple[str, int],
    endpoints: Sequence[tuple[str, int]],
    maxconn: int,
    *,
    half_close: bool = False,
) -> subprocess.Popen[bytes]:
    """Start it in the foreground of this process; the caller ends it by its pid.

    Args:
        binary: its path.
        folder: for its files.
        front: where it shall listen; nobody else may.
        endpoints: where the backends listen.
        maxconn: most connections at once.
        half_close: as for `configuration`; one that is too old for it goes its own way.
    """
    path = folder / "nginx.conf"
    passes = half_close and passes_ends(version(binary))
    path.write_text(configuration(folder, front, endpoints, maxconn, half_close=passes))
    return subprocess.Popen(
        [binary, "-q", "-p", str(folder), "-c", str(path)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
