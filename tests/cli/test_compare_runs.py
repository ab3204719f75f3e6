"""`portchurn compare` on stored runs: what it shows, refuses, and fails on."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from simulator.cli import group
from simulator.errors import PortchurnError
from tests.support.command import Finished, portchurn
from tests.support.modelled import modelled
from tests.support.stored import aborted, change_manifest, complete

if TYPE_CHECKING:
    from pathlib import Path

Ask = Callable[..., Finished]
PLAIN = """
title: wall
kernel: {port_range: 50000-50199, time_wait: 400ms}
backends: {ports: random, range: 20000-29999}
balancer: {close: client}
traffic:
  - {name: only, for: 2s, arrivals: {poisson: 800/s}}
"""


@pytest.fixture
def ask(capsys: pytest.CaptureFixture[str]) -> Ask:
    """The verb in this process, since nothing here needs one of its own."""

    def run(*arguments: str | Path) -> Finished:
        capsys.readouterr()
        code, said = 0, ""
        try:
            group.main(["compare", *map(str, arguments)], standalone_mode=False)
        except SystemExit as end:
            code = int(end.code or 0)
        except PortchurnError as error:
            code, said = error.exit_code, str(error)
        told = capsys.readouterr()
        return Finished(code=code, out=told.out, err=told.err + said)

    return run


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Runs of the model: 200 ports, 400 ports, and another load."""
    made = tmp_path_factory.mktemp("results")
    modelled(PLAIN, made / "narrow")
    modelled(PLAIN, made / "wide", "kernel.port_range=50000-50399")
    modelled(PLAIN, made / "other", "traffic.only.for=3s")
    return made


def test_twice_the_ports_serve_more_and_the_range_is_what_differs(root: Path) -> None:
    done = portchurn("compare", root / "narrow", root / "wide", "--output", "json")
    assert done.code == 0, done.err
    table = done.json
    assert {one["key"] for one in table["differences"]} >= {"kernel.port_range"}
    [row] = [one for one in table["series"] if one["metric"] == "rate.ok"]
    # 200 ports / 400 ms = 500/s of the 800/s asked; 400 ports are enough for all of them.
    assert row["values"][0] == pytest.approx(500, rel=0.1)
    assert row["values"][1] == pytest.approx(800, rel=0.1)
    assert row["ratios"][0]["says"] == "more"
    assert row["ratios"][0]["interval"][0] > 1.2


def test_a_limit_that_is_passed_is_exit_0_and_one_that_is_not_4(ask: Ask, root: Path) -> None:
    sides = (root / "narrow", root / "wide")
    calm = ask(*sides, "--fail-if", "failed > +10%", "--output", "markdown")
    assert calm.code == 0, calm.err
    assert "- passed: failed" in calm.out
    back = ask(*reversed(sides), "--fail-if", "rate.ok < -10%")
    assert back.code == 4
    assert "✗ rate.ok < -10%" in back.out


def test_another_load_is_refused_with_the_key_until_forced(ask: Ask, root: Path) -> None:
    done = ask(root / "narrow", root / "other")
    assert done.code == 2
    assert done.out == ""
    assert "traffic.only.for 2s against 3s" in done.err
    assert "--force" in done.err
    forced = ask(root / "narrow", root / "other", "--force")
    assert forced.code == 0
    assert "Not comparable: A and B carry different loads" in forced.out


def test_runs_that_are_not_complete_or_not_valid_are_refused_by_their_own_codes(
    ask: Ask, tmp_path: Path
) -> None:
    good, broken, bad = complete(tmp_path), aborted(tmp_path), complete(tmp_path)
    summary = json.loads((bad / "summary.json").read_text())
    (bad / "summary.json").write_text(json.dumps(summary | {"valid": False}))
    names = ("--results", tmp_path)
    assert ask(good.name, broken.name, *names).code == 6
    done = ask(good.name, bad.name, *names)
    assert done.code == 5
    assert "B: the measurement is not valid" in done.err
    # Forced, it is shown, but a measurement that is not valid passes no limit.
    forced = ask(good, bad, "--force", "--fail-if", "failed > +10%")
    assert forced.code == 5
    assert "✓ failed" in forced.out


def test_a_series_leaves_out_what_does_not_count(ask: Ask, tmp_path: Path) -> None:
    for _ in range(5):
        complete(tmp_path / "before")
        complete(tmp_path / "after")
    broken = aborted(tmp_path / "after")
    done = ask(tmp_path / "before", tmp_path / "after")
    assert done.code == 0, done.err
    assert "5 of 6 runs" in done.out
    assert f"Left out: {broken.name}" in done.out or "has no summary" in done.out
    assert "whole runs drawn again" in done.out
    for folder in (tmp_path / "after" / "by-hand").iterdir():
        (folder / "summary.json").unlink(missing_ok=True)
        change_manifest(folder, owner={"pid": 1, "start_ticks": 1, "boot_id": "another boot"})
    done = ask(tmp_path / "before", tmp_path / "after")
    assert done.code == 2
    assert "no run that may be part of a number" in done.err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["one"], "two runs at least"),
        (["one", "two", "--fail-if", "conect.p99 > +10%"], "did you mean connect.p99"),
        (["one", "scenarios/port-wall.yaml"], "do not go together"),
        (["scenarios/port-wall.yaml", "--force"], "for stored runs"),
        (["one", "two", "--seed", "3"], "stored runs are as they were"),
        (["absent.yaml"], "absent.yaml"),
    ],
)
def test_what_is_asked_wrongly_is_answered_with_what_would_be_right(
    ask: Ask, arguments: list[str], said: str
) -> None:
    done = ask(*arguments)
    assert done.code == 2
    assert said in done.err


def test_a_damaged_summary_is_incomplete(ask: Ask, root: Path, tmp_path: Path) -> None:
    shutil.copytree(root / "narrow", tmp_path / "copy", symlinks=True)
    [summary] = (tmp_path / "copy").glob("*/2*/summary.json")
    summary.write_text("{")
    assert ask(root / "narrow", summary.parent).code == 6


def test_the_page_holds_the_table_and_the_charts_of_both(
    ask: Ask, root: Path, tmp_path: Path
) -> None:
    page = tmp_path / "page.html"
    done = ask(root / "narrow", root / "wide", "--page", page)
    assert done.code == 0
    assert f"Page: {page}" in done.err
    text = page.read_text()
    assert "rate.ok more" in text
    assert 'data-chart="tuples-balancer-backend"' in text
    done = ask(root / "narrow", root / "wide", "--page", tmp_path / "absent" / "page.html")
    assert done.code == 2
    assert "cannot be written" in done.err


def test_a_run_is_not_compared_with_itself(ask: Ask, root: Path) -> None:
    done = ask(root / "narrow", root / "narrow")
    assert done.code == 2
    assert "the same runs" in done.err
