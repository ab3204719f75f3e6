"""All that can be said of a port without looking at any machine, as plain values.

Source: RFC 6335 section 6 for the regions and their meaning; the rest where `registry` and
`systems` have it from.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final

from simulator.ports.range import region
from simulator.ports.systems import POOLS, SYSTEMS, pools_with, systems_with

if TYPE_CHECKING:
    from simulator.ports.registry import Registry

#: Region -> (its bounds, what it means).
REGIONS: Final = {
    "system": ("0-1023", "assigned by IANA under strict review; listening wants privilege on Unix"),
    "user": ("1024-49151", "assigned by IANA on request; anybody may listen"),
    "dynamic": ("49152-65535", "never assigned; taken for a while and given back"),
}
_SYSTEM_FACTS: Final = {each.name: asdict(each) | {"ports": str(each.ports)} for each in SYSTEMS}
_POOL_FACTS: Final = {
    each.name: asdict(each) | {"ports": str(each.ports), "chance": each.chance} for each in POOLS
}


def port_facts(port: int, registry: Registry) -> dict[str, Any]:
    """What a port is, and who may hand it out or hold it.

    Returns:
        ``port``, ``region`` {name, ports, meaning}, ``registrations`` [{service, transports,
        description, status}] without the unassigned rows, ``status`` {tcp, udp}, ``systems`` and
        ``pools`` as in `systems`, with ranges as text and a pool's ``chance``.
    """
    name = region(port)
    ports, meaning = REGIONS[name]
    return {
        "port": port,
        "region": {"name": name, "ports": ports, "meaning": meaning},
        "registrations": [
            {
                "service": row.service,
                "transports": list(row.transports),
                "description": row.description,
                "status": row.status,
            }
            for row in registry.of(port)
            if row.status != "unassigned"
        ],
        "status": {transport: registry.status(port, transport) for transport in ("tcp", "udp")},
        "systems": [_SYSTEM_FACTS[each.name] for each in systems_with(port)],
        "pools": [_POOL_FACTS[each.name] for each in pools_with(port)],
    }


def service_of(facts: dict[str, Any]) -> str:
    """The first registered name, or what the registry says instead of one.

    Args:
        facts: of `port_facts`.
    """
    for row in facts["registrations"]:
        if row["status"] == "assigned":
            return str(row["service"] or row["description"])
    if facts["registrations"]:
        return "reserved"
    return "none" if facts["region"]["name"] == "dynamic" else "unassigned"
