"""The page about port selection says what the code says: its tables and its plot are made by it."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from simulator.ports.arena import Game, fill, play, stream
from simulator.ports.arena_score import score
from simulator.ports.selection.catalogue import ALGORITHMS, NAMES, algorithm
from simulator.report.arena_text import algorithms_markdown, game_line, scores_markdown

DOCS = Path(__file__).parent.parent.parent / "docs"
PAGE = (DOCS / "port-selection.md").read_text()


def test_the_list_of_algorithms_is_the_one_that_the_command_prints() -> None:
    assert algorithms_markdown(ALGORITHMS) in PAGE


def test_the_first_table_has_every_algorithm_in_the_game_that_is_played_by_default() -> None:
    table = PAGE.split(game_line(Game()))[1].split("\n\n")[1]
    assert tuple(line.split()[1] for line in table.splitlines()[2:]) == NAMES


@pytest.mark.parametrize("name", ["double-hash", "haproxy", "linux-socket-range"])
def test_rows_of_the_first_table_are_current(name: str) -> None:
    one, game = algorithm(name), Game()
    connections = stream(game)
    played = play(one, game, connections)
    scored = score(name, one.scope, game, connections, played, fill(one, game))
    assert scores_markdown(game, [scored]).splitlines()[-1] in PAGE


def test_the_plot_has_the_algorithms_of_the_command_that_draws_it() -> None:
    asked = re.findall(r"--algorithm ([a-z-]+)", PAGE)
    root = ET.parse(DOCS / "port-selection.svg").getroot()
    drawn = [one.text for one in root.iter("{http://www.w3.org/2000/svg}text")]
    assert len(asked) >= 8
    assert set(asked) <= set(drawn)
    second = PAGE.split(game_line(Game(load=0.95, destinations=1)))[1].split("\n\n")[1]
    assert [line.split()[1] for line in second.splitlines()[2:]] == asked
