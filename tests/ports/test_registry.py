"""The registry's data: whole, of a known day, and true to RFCs and to the system's own list."""

from __future__ import annotations

from pathlib import Path

import pytest

from simulator.ports.range import SYSTEM
from simulator.ports.registry import Status, read_registry, registry

KNOWN = registry()


def test_every_number_below_the_dynamic_range_has_a_row_and_no_other() -> None:
    held = {port for row in KNOWN.rows for port in range(row.first, row.last + 1)}
    assert held == set(range(49_152))


def test_the_data_says_of_which_day_it_is() -> None:
    assert KNOWN.newest <= KNOWN.taken
    assert KNOWN.taken == "2026-02-19"


@pytest.mark.parametrize(
    ("transport", "status", "system", "user"),
    [
        # Counted in the CSV itself (csv module and a set of numbers), apart from this code.
        ("tcp", "assigned", 689, 5_460),
        ("tcp", "reserved", 51, 206),
        ("udp", "assigned", 686, 5_069),
        ("udp", "reserved", 56, 591),
    ],
)
def test_counts_are_those_of_the_csv(
    transport: str, status: Status, system: int, user: int
) -> None:
    numbers = KNOWN.numbers(transport, status)
    below = sum(number <= SYSTEM.last for number in numbers)
    assert (below, len(numbers) - below) == (system, user)


@pytest.mark.parametrize(
    ("port", "service", "source"),
    [
        (22, "ssh", "RFC 4251"),
        (53, "domain", "RFC 1035"),
        (80, "http", "RFC 9110"),
        (443, "https", "RFC 9110"),
        (853, "domain-s", "RFC 7858"),
        (1021, "exp1", "RFC 4727"),
        (1022, "exp2", "RFC 4727"),
        (4500, "ipsec-nat-t", "RFC 3947"),
        (5060, "sip", "RFC 3261"),
    ],
)
def test_services_stand_where_their_rfcs_put_them(port: int, service: str, source: str) -> None:
    rows = KNOWN.of(port)
    assert service in [row.service for row in rows], source
    assert KNOWN.status(port, "tcp") == "assigned"


@pytest.mark.parametrize("port", [0, 1023, 1024, 49151])
def test_the_edges_of_regions_are_reserved(port: int) -> None:
    assert KNOWN.status(port, "tcp") == "reserved"  # RFC 6335 section 6


def test_ranges_and_transports_are_told_apart() -> None:
    assert [row.service for row in KNOWN.of(6_017)] == ["x11"]
    assert KNOWN.status(6_379, "tcp") == "assigned"
    assert KNOWN.status(6_379, "udp") == "reserved"
    assert KNOWN.status(60_162, "tcp") == "unassigned"
    assert KNOWN.of(60_162) == ()


def test_the_systems_own_list_of_services_agrees() -> None:
    path = Path("/etc/services")
    if not path.is_file():
        pytest.skip("this system has no list of services")
    words = [line.split("#")[0].split() for line in path.read_text().splitlines()]
    named = {
        (fields[0], int(port), transport)
        for fields in words
        if len(fields) > 1
        for port, _, transport in [fields[1].partition("/")]
        if transport in ("tcp", "udp") and int(port) < 49_152
    }
    agreed = sum(
        any(row.service == name and transport in row.transports for row in KNOWN.of(port))
        for name, port, transport in named
    )
    # The rest are names in wide use that nobody registered.
    assert agreed / len(named) > 0.6


def test_damaged_data_is_refused() -> None:
    with pytest.raises(ValueError, match="of which day"):
        read_registry("80\ttcp\thttp\n")
    with pytest.raises(ValueError, match="invalid literal"):
        read_registry("# Taken: 2026-01-01. Newest change in it: 2026-01-01.\neighty\ttcp\n")
