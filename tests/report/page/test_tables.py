"""Tables of a run's page: what is known stands there, what is not is a dash or left out."""

from __future__ import annotations

from xml.etree import ElementTree as ET

from simulator.report.page import tables
from tests.support.pages import HOSTILE
from tests.support.summaries import SUMMARY


def cells(markup: str) -> list[list[str]]:
    """Texts of a table's rows."""
    return [["".join(cell.itertext()) for cell in row] for row in ET.fromstring(markup).iter("tr")]


def test_numbers_of_the_summary_are_in_the_tables() -> None:
    assert cells(tables.latencies(SUMMARY))[1] == [
        *("connect", "5,877", "412us", "890us", "4.1ms", "–", "61ms"),
    ]
    assert cells(tables.errors(SUMMARY))[1] == ["balancer-backend/connect/EADDRNOTAVAIL", "4,100"]
    assert cells(tables.tuples(SUMMARY))[1][0] == "client-balancer"
    assert "balancer" in tables.costs(SUMMARY)
    phase = {"name": "ramp", "warmup": True, "start_s": 0.0, "end_s": 2.0, "failed": 3}
    assert cells(tables.phases({"phases": [phase]}))[1] == [
        *("ramp (warm-up)", "0.0 s to 2.0 s", "–", "–", "–", "3"),
    ]
    assert "lost races" in tables.moves({"backends": {"lost_races": 4, "moves": 0}})


def test_nothing_known_gives_nothing() -> None:
    found = (
        *(tables.latencies({}), tables.errors({}), tables.tuples({}), tables.costs({})),
        *(tables.phases({}), tables.moves({}), tables.scenario({})),
    )
    assert set(found) == {""}
    assert "kernel" not in tables.surroundings({}, {})


def test_the_command_can_be_pasted() -> None:
    made = tables.scenario(
        {"command": ["run", "my file.yaml"], "scenario_text": f"title: {HOSTILE}"}
    )
    assert "portchurn run &#x27;my file.yaml&#x27;" in made
    assert "<img" not in made


def test_surroundings_tell_machine_and_settings() -> None:
    told = {"kernel": "6.18", "limits": {"descriptors": [1024, None]}, "packages": {"numpy": "2"}}
    summary = {"environment": told, "sysctls": {"net.ipv4.tcp_tw_reuse": "1"}}
    made = tables.surroundings(summary, {"seed": 7, "engine": "kernel"})
    for part in ("6.18", "tcp_tw_reuse", "numpy 2", "[1024, None]"):
        assert part in made
