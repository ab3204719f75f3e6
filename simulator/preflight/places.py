"""Who has which addresses: the same in every engine, so that their records can be held together.

Every party has addresses of its own in 127.0.0.0/8, so that a socket tells by its addresses alone
which hop it belongs to. (All of 127/8 is local on Linux; nothing needs to be configured.)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from simulator.preflight.hops import FRONT_PORT

if TYPE_CHECKING:
    from simulator.scenario.schema import Scenario
    from simulator.scenario.source import Source

CLIENT_PREFIX: Final = (127 << 8) | 1
FRONT_PREFIX: Final = (127 << 8) | 2
BALANCER_PREFIX: Final = (127 << 8) | 3
BACKEND_PREFIX: Final = (127 << 8) | 4
SIDECAR_FRONT_PREFIX: Final = (127 << 8) | 5
SIDECAR_PREFIX: Final = (127 << 8) | 6
#: Outside the dynamic range on purpose: a fixed service port must not be one that is handed out.
FRONT: Final = ("127.2.0.1", FRONT_PORT)
#: The balancer's port on an address of its own, so that one port only is lost to connect().
SIDECAR_FRONT: Final = ("127.5.0.1", FRONT_PORT)
#: The address that routing gives to a plain connect toward any of 127/8.
ROUTED: Final = "127.0.0.1"
ROUTED_PREFIX: Final = 127 << 8
_HOSTS_PER_OCTET: Final = 250


def addresses(prefix: int, count: int) -> tuple[str, ...]:
    """The first ``count`` host addresses below a 16-bit prefix: 127.1.0.1, 127.1.0.2, ..."""
    high, low = divmod(prefix, 256)
    return tuple(
        f"{high}.{low}.{at // _HOSTS_PER_OCTET}.{at % _HOSTS_PER_OCTET + 1}" for at in range(count)
    )


def is_routed(source: Source) -> bool:
    """Whether connects name no source address, so that routing picks it."""
    return source.ports == "kernel" and source.addresses == 1


def source_addresses(source: Source, prefix: int) -> tuple[str, ...]:
    """None for a truly plain connect: to name an address is to bind, which is another mode."""
    if is_routed(source):
        return ()
    return addresses(prefix, source.addresses)


def client_addresses(scenario: Scenario) -> tuple[str, ...]:
    """Source addresses of the clients, by the index that records use."""
    return source_addresses(scenario.clients.source, CLIENT_PREFIX) or (ROUTED,)


def backend_addresses(scenario: Scenario) -> tuple[str, ...]:
    """Listening address of each backend, by id: spread over the addresses in turn."""
    if scenario.backends.address == "shared":
        return (ROUTED,) * scenario.backends.count
    pool = addresses(BACKEND_PREFIX, scenario.backends.addresses)
    return tuple(pool[backend % len(pool)] for backend in range(scenario.backends.count))
