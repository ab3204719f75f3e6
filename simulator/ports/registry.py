"""What every port number below the dynamic range is registered for, from data shipped with us.

The registry knows three kinds of number: assigned to a service, reserved (held back, or given up
and not free again), unassigned. It speaks of names, not of use: nobody must ask before listening,
and software on a number may be anything.

Source: IANA Service Name and Transport Protocol Port Number Registry (RFC 6335); the day it was
taken is in the data file, and made from the registry's CSV by `simulator.ports.iana_csv`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Final, Literal

Status = Literal["assigned", "reserved", "unassigned"]

DATA: Final = "iana-ports.tsv"
#: The number 0 is reserved and names no port: in bind() it means *choose one for me*.
LAST_PORT: Final = 65_535
_UNASSIGNED_RE: Final = re.compile(r"\(?unassigned", re.IGNORECASE)
_RESERVED_RE: Final = re.compile(
    r"reserved|removed|deprecated|de-?registered|decom+is+ioned|de-commis+ioned", re.IGNORECASE
)
_TAKEN_RE: Final = re.compile(r"Taken: (\S+)\. Newest change in it: (\S+)\.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Registration:
    """One row of the registry.

    Attributes:
        first: first port of the row.
        last: last port of the row; nearly always the same.
        transports: ``tcp``, ``udp``, ``sctp``, ``dccp``; empty when the row says none, which the
            registry does for numbers that it holds back or leaves free as a whole.
        service: the registered name; empty where there is none.
        description: what the registry says, shortened to one line.
    """

    first: int
    last: int
    transports: tuple[str, ...]
    service: str
    description: str

    @property
    def status(self) -> Status:
        """Which of the registry's three kinds the row is."""
        if self.service:
            return "assigned"
        if _UNASSIGNED_RE.match(self.description):
            return "unassigned"
        return "reserved" if _RESERVED_RE.match(self.description) else "assigned"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Registry:
    """All rows, and the days by which their age can be told.

    Attributes:
        taken: the day the data was taken from the registry, ``YYYY-MM-DD``.
        newest: the day of the newest change in it.
        rows: all rows, in the registry's order.
    """

    taken: str
    newest: str
    rows: tuple[Registration, ...]

    def of(self, port: int) -> tuple[Registration, ...]:
        """The rows that hold a port, in the registry's order; none for a dynamic port."""
        return _by_port(self).get(port, ())

    def status(self, port: int, transport: str) -> Status:
        """What a port is for one transport.

        A transport that no row names is unassigned, even where another transport has the number.
        """
        kinds = {
            row.status for row in self.of(port) if transport in row.transports or not row.transports
        }
        return (
            "assigned"
            if "assigned" in kinds
            else ("reserved" if "reserved" in kinds else "unassigned")
        )

    def numbers(self, transport: str, status: Status) -> frozenset[int]:
        """All numbers of 0-49151 that have a row of this kind for a transport."""
        return frozenset(
            port
            for row in self.rows
            if row.status == status and (transport in row.transports or not row.transports)
            for port in range(row.first, row.last + 1)
        )


@cache
def _by_port(known: Registry) -> dict[int, tuple[Registration, ...]]:
    held: dict[int, tuple[Registration, ...]] = {}
    for row in known.rows:
        for port in range(row.first, row.last + 1):
            held[port] = (*held.get(port, ()), row)
    return held


@cache
def registry() -> Registry:
    """The registry as shipped, read once.

    Raises:
        ValueError: the shipped file is damaged.
    """
    text = (files("simulator.ports") / "data" / DATA).read_text(encoding="utf-8")
    return read_registry(text)


def read_registry(text: str) -> Registry:
    """The registry in the text of a data file.

    Raises:
        ValueError: the text does not say of which day it is, or a row is malformed.
    """
    taken = _TAKEN_RE.search(text)
    if taken is None:
        raise ValueError("the registry's data does not say of which day it is")
    rows = tuple(_row(line) for line in text.splitlines() if line and not line.startswith("#"))
    return Registry(taken=taken[1], newest=taken[2], rows=rows)


def _row(line: str) -> Registration:
    ports, transports, service, description = (*line.split("\t"), "", "")[:4]
    first, _, last = ports.partition("-")
    return Registration(
        first=int(first),
        last=int(last or first),
        transports=tuple(transports.split(",")) if transports else (),
        service=service,
        description=description,
    )
