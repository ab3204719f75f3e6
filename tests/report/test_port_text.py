"""The page of a port: its first line answers, names from outside do nothing, lines stay short."""

from __future__ import annotations

import re
from typing import Any

import pytest

from simulator.ports.facts import port_facts
from simulator.ports.registry import registry
from simulator.report.port_text import headline, port_text, ports_table

KNOWN = registry()


def held(**changes: Any) -> dict[str, Any]:  # noqa: ANN401 - any field
    """A socket as the verb gathers it."""
    return {
        "transport": "tcp",
        "version": 4,
        "state": "listen",
        "source": "0.0.0.0",
        "sport": 8080,
        "destination": "0.0.0.0",
        "dport": 0,
        "uid": 0,
        "inode": 77,
        "timer_ms": 0,
        "user": "www",
        "processes": [{"pid": 12, "name": "nginx", "descriptor": 6}],
        **changes,
    }


def here(*sockets: dict[str, Any], notes: tuple[str, ...] = ()) -> dict[str, Any]:
    return {
        "sockets": list(sockets),
        "range_notes": {},
        "notes": list(notes),
        "registry": {"taken": KNOWN.taken, "newest": KNOWN.newest},
    }


def text(port: int, *sockets: dict[str, Any], **more: Any) -> str:  # noqa: ANN401 - any field
    return port_text({**port_facts(port, KNOWN), **more}, here(*sockets))


@pytest.mark.parametrize(
    ("port", "sockets", "told"),
    [
        (60162, [], "60162 is a dynamic port: nobody can register it"),
        (60162, [], "Here it is free."),
        (8080, [held()], "8080 is http-alt, a User port. Here nginx (pid 12) listens on it (tcp)."),
        (8080, [held(state="established", dport=9), held()], "nginx (pid 12) listens on it"),
        (8080, [held(state="bound", transport="udp")], "has it bound (udp)."),
        (8080, [held(state="time-wait", processes=[])], "1 closed connection(s) keep it"),
        (8080, [held(processes=[])], "some process listens on it"),
        (8080, [held(processes=[], inode=0, state="fin-wait-2")], "no process any more holds it"),
        (4, [], "4 is a System port, unassigned. Here it is free."),
        (1023, [], "1023 is a System port, reserved."),
        (0, [], "0 names no port"),
    ],
)
def test_the_first_line_answers(port: int, sockets: list[dict[str, Any]], told: str) -> None:
    assert told in headline(port_facts(port, KNOWN), here(*sockets))


def test_sockets_are_told_with_their_ends_and_owner() -> None:
    found = text(
        8080,
        held(version=6, source="::"),
        held(state="established", source="10.0.0.1", destination="10.0.0.2", dport=443),
        held(state="time-wait", destination="10.0.0.2", dport=443, timer_ms=12_000, user=None),
        held(state="established", inode=0, processes=[]),
    )
    assert "tcp [::]:8080 listen, nginx (pid 12), user www" in found
    assert "tcp 10.0.0.1:8080 established to 10.0.0.2:443, nginx (pid 12), user www" in found
    assert "12s to go; no process holds it" in found
    assert "not accepted yet, or closed already" in found


def test_many_sockets_are_counted() -> None:
    found = text(8080, *[held(state="established")] * 1_000)
    assert "and 988 more" in found
    assert len(found.splitlines()) < 60


def test_a_hostile_process_name_does_nothing() -> None:
    evil = held(processes=[{"pid": 1, "name": "\x1b[2J\nx", "descriptor": 1}])
    assert "\x1b" not in text(8080, evil)
    assert "\x1b" not in ports_table([port_facts(8080, KNOWN)], here(evil))


USE = {
    "rate_per_s": 300.0,
    "open_s": 0.0,
    "time_wait_s": 60.0,
    "range": "32768-60999",
    "ports": 28_232,
    "wanted": 18_000.0,
    "in_range": True,
    "any_port": 18_000 / 28_232,
    "linux": 1.0,
    "ceiling_per_s": 470.5,
}


def test_a_load_is_told_with_its_arithmetic() -> None:
    found = " ".join(text(60162, use=USE).split())
    assert "63.8 % toward one destination: 300/s x 60s TIME_WAIT = 18,000 ports wanted" in found
    over = " ".join(text(60162, use={**USE, "wanted": 60_000.0, "open_s": 1.0}).split())
    assert "100 % toward one destination: 300/s x (1s open + 60s TIME_WAIT)" in over
    assert "the wall stands at 470/s" in over or "the wall stands at 471/s" in over
    assert "0 %: outside" in text(80, use={**USE, "in_range": False})


def test_a_table_has_a_line_for_each_port_and_ends_with_what_is_not_seen() -> None:
    table = ports_table(
        [port_facts(port, KNOWN) for port in (80, 8080)], here(held(), notes=("not all is seen",))
    ).splitlines()
    assert re.split(" {2,}", table[0]) == ["port", "region", "service", "in the range of", "here"]
    assert len(table) == 4
    assert "nginx (pid 12) listens on it" in table[2]
    assert table[3] == "(not all is seen)"


@pytest.mark.parametrize("port", [0, 24, 80, 4200, 8080, 30000, 49152, 60162])
def test_lines_fit_a_terminal(port: int) -> None:
    first, *rest = text(port, held(), use=USE).splitlines()
    assert len(first) <= 110
    assert all(len(line) <= 100 for line in rest)
