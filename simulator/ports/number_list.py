"""Ports as people type them: one, a range, or a list of both."""

from __future__ import annotations

import re
from difflib import get_close_matches
from typing import Final

from simulator.ports.registry import LAST_PORT, Registry

_PART_RE: Final = re.compile(r"([0-9]+)(?:-([0-9]+))?")
#: Longer texts are no ports, and are not shown whole.
_LONGEST: Final = 40
_SERVICE_RE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.+*/-]{0,40}")


def parse_ports(text: str, registry: Registry) -> tuple[int, ...]:
    """The ports in a text such as ``60162``, ``49152-49160``, ``80,443,8080`` or ``https``.

    Returns:
        The ports, each once, in the order named.

    Raises:
        ValueError: a part is no port; the message names it and says what would be right.
    """
    ports: dict[int, None] = {}
    for part in text.split(","):
        ports.update(dict.fromkeys(_part(part.strip(), registry)))
    return tuple(ports)


def _part(part: str, registry: Registry) -> range:
    match = _PART_RE.fullmatch(part) if len(part) <= _LONGEST else None
    if match is None:
        return _named(part, registry)
    first, last = int(match[1]), int(match[2] or match[1])
    for port in (first, last):
        if port > LAST_PORT:
            raise ValueError(f"{port} is not a port: ports are 16 bits wide, 0-{LAST_PORT}")
    if first > last:
        raise ValueError(f"{part} is the wrong way round; write {last}-{first}")
    return range(first, last + 1)


def _named(part: str, registry: Registry) -> range:
    """The first row with that service name, or a complaint."""
    if _SERVICE_RE.fullmatch(part):
        for row in registry.rows:
            if row.service == part.lower():
                return range(row.first, row.last + 1)
    wanted = f"write a number of 0-{LAST_PORT}, a range (49152-49160) or a list (80,443)"
    if _SERVICE_RE.fullmatch(part):
        names = {row.service for row in registry.rows if row.service}
        near = get_close_matches(part.lower(), names, 1, 0.8)
        hint = f" (did you mean {near[0]}?)" if near else ""
        raise ValueError(f"{part!r} is neither a port nor a registered service{hint}; {wanted}")
    raise ValueError(f"{part[:_LONGEST]!r} is not a port; {wanted}")
