"""`portchurn arena` as a user calls it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import pytest
from click.testing import CliRunner, Result

from simulator.cli.arena import command
from simulator.errors import UsageError
from simulator.ports.selection.catalogue import NAMES
from tests.support.command import portchurn

if TYPE_CHECKING:
    from pathlib import Path

SMALL = ("--ports", "50000-50199", "--connections", "500")


def call(*arguments: str) -> Result:
    return CliRunner().invoke(command, [*SMALL, *arguments], catch_exceptions=False)


def test_all_algorithms_play_and_stand_in_one_table() -> None:
    done = portchurn("arena", *SMALL)
    assert done.code == 0
    assert [line.split()[0] for line in done.out.splitlines()[3:]] == list(NAMES)
    assert done.err.splitlines()[-1] == f"{len(NAMES)}/{len(NAMES)} {NAMES[-1]}"


def test_the_same_seed_says_the_same_and_another_one_something_else() -> None:
    chosen = ("--algorithm", "linux-connect", "--output", "json")
    first, again, other = call(*chosen), call(*chosen), call(*chosen, "--seed", "2")
    assert first.stdout == again.stdout != other.stdout
    answer = json.loads(first.stdout)
    assert answer["schema"] == "portchurn.arena/1"
    assert answer["game"]["ports"] == "50000-50199"
    assert answer["game"]["rate_per_s"] == 50
    (scored,) = answer["scores"]
    assert scored["full_at"] == 1.0
    assert scored["probes_by_occupancy"][-1][1] > 100


def test_markdown_and_the_order_asked_for() -> None:
    done = call("--algorithm", "haproxy", "--algorithm", "blocks", "--output", "markdown")
    assert [line.split()[1] for line in done.stdout.splitlines()[-2:]] == ["haproxy", "blocks"]


def test_the_list_plays_nothing() -> None:
    done = call("--list")
    assert done.stderr == ""
    assert all(f"| {name} |" in done.stdout for name in NAMES)


def test_a_plot_is_written(tmp_path: Path) -> None:
    file = tmp_path / "plot.svg"
    assert call("--algorithm", "haproxy", "--plot", str(file)).exit_code == 0
    assert ET.parse(file).getroot().tag.endswith("svg")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--algorithm", "windows"), "windows is not an algorithm; choose from sequential"),
        (("--ports", "9-3"), "--ports 9-3 is the wrong way round; write 3-9"),
        (("--lifetime", "soon"), "--lifetime soon"),
        (("--lifetime", "0s"), "--lifetime must be longer than nothing"),
        (("--plot", "/nowhere/at/all.svg", "--algorithm", "haproxy"), "No such file"),
    ],
)
def test_what_cannot_be_played_is_answered_with_what_would_be_right(
    arguments: tuple[str, ...], said: str
) -> None:
    with pytest.raises(UsageError, match=said):
        call(*arguments)


def test_several_seeds_are_told_one_by_one_and_by_their_median() -> None:
    chosen = ("--algorithm", "simple-random", "--output")
    answer = json.loads(call(*chosen, "json", "--seed", "5", "--seeds", "3").stdout)
    assert answer["seeds"] == [5, 6, 7]
    (scored,) = answer["scores"]
    means = [one["probes_mean"] for one in scored["by_seed"]]
    assert len(set(means)) == 3
    assert scored["probes_mean"] == sorted(means)[1]
    assert "medians of 3 seeds from 1 on" in call(*chosen, "text", "--seeds", "3").stdout


def test_a_game_too_short_to_fill_the_range_says_so() -> None:
    assert "take --connections 2000 or so" in call("--algorithm", "haproxy").stderr
    long = call("--algorithm", "haproxy", "--connections", "800")
    assert "take" not in long.stderr
