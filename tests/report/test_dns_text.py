"""A resolver in lines, and beside other variants; nothing for a run that has none."""

from __future__ import annotations

import pytest

from simulator.report.dns_text import dns_cells, dns_lines

DNS = {
    "asked": 1200, "answered": 1100, "retries": 60, "timeouts": 100, "cached": 5, "malformed": 0,
    "refused_id": 1500, "refused_address": 2, "refused_question": 0, "refused_malformed": 0,
    "pool": {
        "size": 2500, "range": "49152-65535", "usable": 16_384, "lost_races": 3,
        "seen_by_kernel": 2500,
    },
    "observed": {"questions": 1200, "ports": 950, "ports_expected": 953.2, "pairs": 1199},
    "forgery": {
        "believed": 7, "received": 1509, "expected": 6.34, "questions": 1200, "within": 390.4,
        "servers": 2, "ports": 16, "idents": 1024,
    },
    "stolen": 9, "robbed": [f"127.4.0.1:{port}" for port in range(50_001, 50_010)],
}  # fmt: skip


def test_each_part_has_its_line() -> None:
    assert dns_lines({"dns": DNS}) == [
        (
            "pool      2,500 of 16,384 ports of 49152-65535, 2,500 of them in the kernel's table, "
            "3 drawn that others had"
        ),
        (
            "observer  1,200 questions from 950 distinct ports, 953 expected, 1,199 pairs of port "
            "and ID"
        ),
        "asked     1,200, answered 1,100, 100 timed out, 60 asked again, 5 from the cache",
        "refused   1,500 no open question on that port has that ID; 2 from another server",
        (
            "forger    7 believed of 1,509 forged answers, 6.3 expected: 1,200 x 390 / "
            "(2 x 16 x 1,024)"
        ),
        (
            "damage    9 services found their port in the pool: "
            + ", ".join(f"127.4.0.1:{port}" for port in range(50_001, 50_009))
            + " and 1 more"
        ),
    ]


def test_what_is_missing_is_a_dash() -> None:
    bare = dns_lines({"dns": {"pool": {"size": 1}, "observed": {}, "forgery": None}})
    assert bare[0].startswith("pool      1 of – ports of –")
    assert len(bare) == 3


@pytest.mark.parametrize("dns", [None, {}, "much"])
def test_without_a_resolver_nothing_is_said(dns: object) -> None:
    assert dns_lines({"dns": dns}) == []
    assert set(dns_cells({"dns": dns}).values()) == {"–"}


def test_cells_for_the_table_of_variants() -> None:
    assert dns_cells({"dns": DNS}) == {
        "ports that servers saw": "950",
        "forged answers believed": "7",
        "forged answers expected": "6.3",
        "ports taken by the pool": "9",
    }
