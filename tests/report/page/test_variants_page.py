"""The page of variants: the lesson first, each world, the arithmetic in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from simulator.errors import UsageError
from simulator.report.page.variants_page import (
    VARIANTS,
    arithmetic,
    newest_of_each,
    prose,
    variants_page,
    write_variants_page,
)
from simulator.report.stored import stored
from tests.support.pages import HOSTILE, stored_run
from tests.support.stored import change_manifest
from tests.support.summaries import summary

if TYPE_CHECKING:
    from pathlib import Path


def runs(root: Path, *names: str, **changes: str) -> list[Path]:
    """A run for each variant, one minute after the other."""
    found = []
    for minute, name in enumerate(names):
        folder = stored_run(root, **changes)
        change_manifest(folder, variant=name, started=f"2026-01-01T12:{minute:02}:00+00:00")
        found.append(folder)
    return found


def test_the_lesson_comes_first_in_its_paragraphs(tmp_path: Path) -> None:
    folders = runs(tmp_path, "owned", "lent", lesson="One\nline.\n\nAnother.", expect="Much.")
    page = variants_page([stored(folder) for folder in folders], shared="x.js")
    assert "<p>One line.</p><p>Another.</p>" in page
    order = ("lesson", "worlds", "ports", "rates", "expect")
    places = [page.index(f'id="{name}"') for name in order]
    assert places == sorted(places)
    assert "owned: 280 of 300 connections were served." in page
    assert 'data-chart="ports-balancer-backend-lent"' in page


def test_without_a_lesson_there_is_no_such_section(tmp_path: Path) -> None:
    page = variants_page([stored(one) for one in runs(tmp_path, "a", "b")], shared="x.js")
    assert 'id="lesson"' not in page
    assert 'id="worlds"' in page


def test_the_arithmetic_says_how_often_a_port_was_used_again() -> None:
    hop = {"name": "client-backend", "distinct_ports": 256, "budget": 256, "in_use_peak": 64}
    told = summary(connections={"opened": 20_480}, hops=[hop])
    assert arithmetic(told) == (
        "5,877 of 10,000 connections were served. On client-backend 256 different ports were "
        "used, so that each carried 80.0 connections; at most 64 of the 256 tuples toward one "
        "destination were in use at a time (25 %)."
    )
    assert arithmetic({}) == "– of – connections were served."


def test_the_newest_run_of_each_variant_is_taken_in_the_order_of_running(tmp_path: Path) -> None:
    old, late, early = runs(tmp_path, "late", "late", "early")
    change_manifest(late, started="2026-01-03T12:00:00+00:00")
    assert newest_of_each(old.parent) == [early, late]
    for folder in (old, late):
        (folder / "summary.json").unlink()
    with pytest.raises(UsageError, match="two variants"):
        newest_of_each(old.parent)


def test_the_page_stands_beside_the_runs(tmp_path: Path) -> None:
    folders = runs(tmp_path, "a", "b")
    page = write_variants_page(folders, shared=True)
    assert page == folders[0].parent / VARIANTS
    [script] = page.parent.glob("plotly-*.js")
    assert f'src="{script.name}"' in page.read_text()
    whole = write_variants_page(folders).stat().st_size
    assert whole > script.stat().st_size


def test_hostile_lessons_and_names_are_text(tmp_path: Path) -> None:
    folders = runs(tmp_path, HOSTILE, "b", lesson=HOSTILE, expect=HOSTILE, title=HOSTILE)
    page = variants_page([stored(folder) for folder in folders], shared="x.js")
    assert "<img" not in page
    assert prose(None) == prose("") == ""
