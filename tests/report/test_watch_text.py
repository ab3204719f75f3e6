"""A look as text: the first line answers, and each number is where its label says."""

from __future__ import annotations

import io
from math import inf
from typing import Any

import pytest
from rich.console import Console

from simulator.ports.watched import Destination, Look
from simulator.report.watch_text import answer, picture, plain_lines, settings_line


def destination(**changes: Any) -> Destination:  # noqa: ANN401 - any field
    values: dict[str, Any] = {
        "source": "10.0.0.1",
        "destination": "10.0.0.9",
        "port": 443,
        "established": 2,
        "time_wait": 18_000,
        "other": 0,
        "recyclable": 0,
        "opened_per_s": 300.0,
        "closed_per_s": 300.0,
        "wall_s": inf,
    }
    return Destination(**{**values, **changes})


def look(*busiest: Destination, **changes: Any) -> Look:  # noqa: ANN401 - any field
    values: dict[str, Any] = {
        "range_text": "32768-60999",
        "budget": 28_200,
        "reserved": 31,
        "listening": 1,
        "reuse": 0,
        "reuse_delay_s": 1.0,
        "since_s": 1.0,
        "busiest": busiest,
        "destinations": 5,
        "sockets": 20_000,
        "cost_s": 0.02,
        "complete": True,
    }
    return Look(**{**values, **changes})


@pytest.mark.parametrize(
    ("found", "told"),
    [
        (look(), "No tuple is in use"),
        (look(destination()), "No wall ahead at the present rates; the fullest, toward"),
        (look(destination(), since_s=0.0), "Rates come with the next look"),
        (look(destination(wall_s=33.6)), "The wall toward 10.0.0.9:443 is 34s away at 300/s: 63.8"),
        (look(destination(wall_s=0.44)), "is 0.4s away"),
        (look(destination(wall_s=600)), "is 10min away"),
        (look(destination(wall_s=9_000)), "is 2.5h away"),
        (look(destination(wall_s=90_000)), "No wall ahead"),
        (look(destination(), destination(wall_s=0)), "Used up: no port is left toward"),
        (look(destination(destination="2001:db8::9", wall_s=9)), "toward [2001:db8::9]:443"),
    ],
)
def test_the_first_line_answers(found: Look, told: str) -> None:
    assert told in answer(found)


def test_the_budget_is_told_with_its_arithmetic() -> None:
    text = settings_line(look())
    assert "28,232 ports, less 31 reserved, less 1 with a listener: 28,200 tuples" in text
    assert text.endswith("reused never")
    assert settings_line(look(reuse=2)).endswith("reused on loopback after 1s")


def test_a_line_for_each_destination() -> None:
    lines = plain_lines(look(destination(), destination(port=80, other=3), complete=False))
    assert lines[1] == (
        "  10.0.0.1 to 10.0.0.9:443: 18,002 of 28,200 tuples (63.8 %; 2 established, 18,000 "
        "TIME_WAIT), 300/s new, no wall at this rate"
    )
    assert "3 other)" in lines[2]
    assert "lower bounds" in lines[3]


@pytest.mark.parametrize("width", [30, 80, 200])
def test_a_picture_fits_its_terminal(width: int) -> None:
    console = Console(file=io.StringIO(), width=width, force_terminal=False)
    console.print(picture(look(destination(), destination(wall_s=0), complete=False), width))
    assert isinstance(console.file, io.StringIO)
    lines = console.file.getvalue().splitlines()
    assert max(map(len, lines)) <= width
    assert len(lines) == 8
    assert "T" in lines[2]
