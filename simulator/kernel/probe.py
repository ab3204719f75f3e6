"""Try, in a process of its own, what a run needs of the kernel, and say what happened.

Started as ``python -m simulator.kernel.probe``; prints one JSON object. Everything is really
done, in fresh namespaces that end with the process: a version number or a config file would only
say what should work.
"""

from __future__ import annotations

import errno
import json
import os
import socket
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from simulator.errors import Refused
from simulator.kernel.namespace import enter_namespaces
from simulator.kernel.sockets import (
    IP_BIND_ADDRESS_NO_PORT,
    IP_LOCAL_PORT_RANGE,
    port_range_option,
)

if TYPE_CHECKING:
    from collections.abc import Callable

_FIRST: Final = 50_000
_LAST: Final = 50_009
_SETTINGS: Final = {
    "net.ipv4.ip_local_port_range": f"{_FIRST - 1000} {_LAST + 1000}",
    "net.ipv4.ip_local_reserved_ports": "50005",
    "net.ipv4.tcp_tw_reuse": "1",
    "net.core.somaxconn": "4096",
}
REUSE_DELAY: Final = "net.ipv4.tcp_tw_reuse_delay"


def _write(name: str, value: str) -> None:
    Path("/proc/sys", *name.split(".")).write_text(value)


def _settings() -> None:
    for name, value in _SETTINGS.items():
        _write(name, value)


def _reuse_delay() -> None:
    _write(REUSE_DELAY, "500")


def _socket_range() -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.IPPROTO_IP, IP_LOCAL_PORT_RANGE, port_range_option(_FIRST, _LAST))
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
        if not _FIRST <= port <= _LAST:
            raise OSError(errno.EOPNOTSUPP, f"port {port} is outside the range asked for")


def _late_bind() -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1)
        probe.bind(("127.0.0.1", 0))
        if probe.getsockname()[1] != 0:
            raise OSError(errno.EOPNOTSUPP, "bind() took a port all the same")


def _sock_diag() -> None:
    # numpy starts threads, and a process with threads may not enter a user namespace.
    from simulator.kernel.sockdiag import LISTEN, SocketDiag

    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        diag = SocketDiag()
        try:
            ports = set(diag.dump(1 << LISTEN).sport.tolist())
        finally:
            diag.close()
        if ports != {listener.getsockname()[1]}:
            raise OSError(errno.EPROTO, f"shows the listening ports {sorted(ports)}")


def _many_addresses() -> None:
    with socket.socket() as listener, socket.socket() as client:
        listener.bind(("127.9.8.7", 0))
        listener.listen()
        client.bind(("127.1.2.3", 0))
        client.settimeout(5)
        client.connect(listener.getsockname())


TRIES: Final[dict[str, Callable[[], None]]] = {
    "settings": _settings,
    "reuse-delay": _reuse_delay,
    "socket-range": _socket_range,
    "late-bind": _late_bind,
    "sock-diag": _sock_diag,
    "addresses": _many_addresses,
}


def _try_all() -> dict[str, str]:
    """Name -> "" when it works, else what went wrong."""
    found = {}
    for name, attempt in TRIES.items():
        try:
            attempt()
            found[name] = ""
        except OSError as error:
            found[name] = f"{errno.errorcode.get(error.errno or 0, 'error')}: {error.strerror}"
    return found


def main() -> int:
    """Enter namespaces, try everything as PID 1 in there, print what was found."""
    found: dict[str, Any] = {"mode": "", "refusal": "", "tries": {}, "init": False}
    try:
        found["mode"] = enter_namespaces(pid=True)
    except Refused as refusal:
        found["refusal"] = str(refusal)
    except OSError as error:  # the namespace was made, but gives no rights (AppArmor does this)
        found["refusal"] = f"A namespace could be made but not used: {error}"
    if not found["refusal"]:
        reader, writer = os.pipe()
        if os.fork() == 0:
            os.close(reader)
            answer = json.dumps({"init": os.getpid() == 1, "tries": _try_all()})
            os.write(writer, answer.encode())
            os._exit(0)
        os.close(writer)
        with os.fdopen(reader) as answers:
            found.update(json.loads(answers.read() or "{}"))
        os.wait()
    json.dump(found, sys.stdout)
    return 0


if __name__ == "__main__":
    sys.exit(main())
