"""The lines on a NAT: numbers, what it gave, and what it refused."""

from __future__ import annotations

from simulator.report.nat_text import nat_lines

NAT = {
    "preset": "ananta",
    "kind": "lent",
    "hosts": 1000,
    "served": 1000,
    "ports": 64_512,
    "rule": {
        "addresses": 1,
        "mapping": "destination",
        "after_fin_ns": 240_000_000_000,
        "after_reset_ns": 240_000_000_000,
    },
    "flows": 800,
    "places": 800,
    "asks": 100,
    "refused": {"ports": 0, "pool": 7, "table": 0},
}


def test_a_run_without_one_has_no_line() -> None:
    assert nat_lines({}) == nat_lines({"nat": None}) == []


def test_what_it_did_is_told() -> None:
    assert nat_lines({"nat": NAT}) == [
        (
            "ananta (lent): 1,000 of 1,000 hosts served from 1 address(es), 64,512 ports a share "
            "toward each destination"
        ),
        "a port rests 240s after a close, 240s after a reset",
        "800 connections found a place, 800 places were used; hosts asked for more ports 100 times",
        "7 connections asked for ports when all were dealt out",
    ]


def test_what_is_missing_is_a_dash_and_text_is_made_safe() -> None:
    lines = nat_lines({"nat": {"preset": "\x1b[2J", "refused": 3, "rule": []}})
    assert len(lines) == 3
    assert "\x1b" not in "".join(lines)
    assert "–" in lines[0]
