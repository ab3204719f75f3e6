"""The arena's tables: every cell in its column, and nothing that would break a page."""

from __future__ import annotations

from simulator.ports.arena import Game
from simulator.ports.arena_score import Score
from simulator.ports.selection.catalogue import ALGORITHMS
from simulator.report.arena_text import (
    HEADS,
    algorithms_markdown,
    game_line,
    rows,
    scores_markdown,
    scores_text,
)

FULL = Score(
    name="linux-bind",
    scope="port",
    probes_mean=243.24,
    probes_p99=2049,
    failed=12,
    failed_early=3,
    full_at=0.959,
    unevenness=9.219,
    gini=0.5,
    returns_min=1226,
    returns_median=1270.5,
    remembered=0.289,
    guessed_own=0.006,
    guessed_other=1.0,
)
EMPTY = Score(
    name="x",
    scope="tuple",
    probes_mean=0.0,
    probes_p99=0,
    failed=0,
    failed_early=0,
    full_at=1.0,
    unevenness=0.0,
    gini=0.0,
    returns_min=None,
    returns_median=None,
    remembered=None,
    guessed_own=None,
    guessed_other=None,
)


def test_every_measure_has_its_cell() -> None:
    full, empty = rows([FULL, EMPTY])
    assert len(full) == len(empty) == len(HEADS)
    assert full[2:] == [
        *("243.2", "2,049", "12", "3", "95.9%", "9.22", "1,226", "1,270"),
        *("28.9%", "0.6%", "100.0%"),
    ]
    assert empty[-5:] == ["–"] * 5


def test_the_text_is_aligned_and_ends_in_a_line_break() -> None:
    text = scores_text(Game(), [FULL, EMPTY])
    assert text.endswith("\n")
    *_, heads, first, second = text.splitlines()
    assert len(heads) == len(first) == len(second)
    assert "40,000 connections at 1,024/s toward 4 destinations" in text


def test_the_page_table_has_a_rule_and_as_many_cells_everywhere() -> None:
    lines = scores_markdown(Game(), [FULL, EMPTY]).splitlines()[2:]
    assert {line.count("|") for line in lines} == {len(HEADS) + 1}
    assert set(lines[1]) <= set("|-: ")


def test_one_destination_and_every_third_port_are_said_well() -> None:
    line = game_line(Game(destinations=1, every=3))
    assert "toward 1 destination," in line
    assert "every 3rd port" in line
    assert "every 11th port" in game_line(Game(every=11))
    assert "every 21st port" in game_line(Game(every=21))


def test_the_list_names_every_algorithm_with_its_source() -> None:
    text = algorithms_markdown(ALGORITHMS)
    assert len(text.splitlines()) == 2 + len(ALGORITHMS)
    assert "| linux-bind |" in text
    assert "inet_csk_find_open_port" in text
