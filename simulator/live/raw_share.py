"""The forger's raw socket: opened before rights are given up, and kept by nobody but the forger."""

from __future__ import annotations

from typing import TYPE_CHECKING

from simulator.kernel.datagrams import open_raw

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterable

    from simulator.live.settings import RoleSpec


def take_raw(roles: Iterable[RoleSpec]) -> socket.socket | None:
    """A raw socket if there is a forger among the roles.

    Raises:
        Refused: this system does not let us.
    """
    return open_raw() if any(spec.kind == "forger" for spec in roles) else None


def keep_raw(raw: socket.socket | None, spec: RoleSpec) -> socket.socket | None:
    """In a forked role: the socket if it is the forger's; closed for every other role."""
    if raw is not None and spec.kind != "forger":
        raw.close()
        return None
    return raw
