"""Who holds a port that a listener needs, by the kernel's socket table: a connection, a pool."""

from __future__ import annotations

import ipaddress
from typing import Any

from simulator.kernel.datagrams import ANY_ADDRESS
from simulator.kernel.port_sockets import sockets_on
from simulator.kernel.sockdiag import LISTEN, STATE_NAMES, SocketDiag, SocketTable


def _dotted(address: int) -> str:
    return str(ipaddress.IPv4Address(address))


def holder_in(table: SocketTable, address: str, port: int) -> dict[str, Any] | None:
    """The connection of a table that holds an endpoint as its local end; None when none does.

    A listener that was there before left connections with the same local end. Theirs lead to ports
    nobody listens on, so one that leads to a listener is named before them.

    Returns:
        ``destination`` (address:port) and ``state`` of one, and how many hold it (``sockets``).
    """
    here = int(ipaddress.IPv4Address(address))
    listens = table.state == LISTEN
    mine = (table.sport == port) & (table.source == here) & ~listens
    if not mine.any():
        return None
    served = set(zip(table.source[listens].tolist(), table.sport[listens].tolist(), strict=True))
    rows = [
        ((int(table.destination[at]), int(table.dport[at])), int(table.state[at]))
        for at in mine.nonzero()[0]
    ]
    rows.sort(key=lambda row: row[0] not in served)
    (destination, its_port), state = rows[0]
    return {
        "destination": f"{_dotted(destination)}:{its_port}",
        "state": STATE_NAMES.get(state, str(state)),
        "sockets": len(rows),
    }


def find_holder(address: str, port: int) -> dict[str, Any] | None:
    """As `holder_in`, of this namespace as it is now; one dump of its socket table."""
    diag = SocketDiag()
    try:
        return holder_in(diag.dump(), address, port)
    finally:
        diag.close()


def find_datagram_holder(address: str, port: int) -> dict[str, Any] | None:
    """The UDP socket of this namespace that holds an endpoint; None when none does.

    Returns:
        ``bound``, where it is bound: all addresses or this one, and how many are (``sockets``).
    """
    here = [
        f"{one.source}:{one.sport}"
        for one in sockets_on(port, port).sockets
        if one.transport == "udp" and one.source in (ANY_ADDRESS, address)
    ]
    return {"bound": here[0], "sockets": len(here)} if here else None
