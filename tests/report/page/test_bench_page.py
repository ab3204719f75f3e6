"""The page of a bench: laws and ratios first, absent peers named, nothing obeyed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from simulator.report.page.bench_page import amount, bench_page, write_bench_page
from simulator.store.read_bench import read_bench
from tests.support.benched import ladder, peers
from tests.support.pages import ESCAPES, HOSTILE

if TYPE_CHECKING:
    from pathlib import Path

ADDRESS = "x.js"


def page(folder: Path) -> str:
    return bench_page(read_bench(folder), shared=ADDRESS)


def test_a_ladder_says_its_laws_first_and_has_them_in_its_table(tmp_path: Path) -> None:
    text = page(ladder(tmp_path))
    assert "1 of 2 costs stay constant while the work grows." in text
    assert "Sample grows linearly with sockets (exponent 1.00)." in text
    assert "Connect-p99 went from 40us to 360us with sockets." in text
    assert "target: constant" in text
    assert "work^1.00: linear" in text
    assert text.index("costs stay constant") < text.index('id="growth"')
    assert 'data-chart="growth-sockets-ns"' in text


def test_peers_say_the_ratio_with_its_rounds_and_who_was_not_there(tmp_path: Path) -> None:
    text = page(peers(tmp_path))
    assert "relay-close: our cpu is 0.50 of haproxy&#x27;s, between 0.50 and 0.60 in 3" in text
    assert "Not installed here, and so not measured: nginx." in text
    assert 'class="verdict ok"' in text
    assert "<td>0.50 (0.50..0.60) of haproxy&#x27;s</td>" in text


def test_work_that_failed_is_not_valid(tmp_path: Path) -> None:
    text = page(peers(tmp_path, errors=1.0))
    assert "Not valid: work failed in some round (own, haproxy)" in text
    assert 'class="verdict ok"' not in text


def test_it_is_written_beside_its_rows_with_the_script_inside_or_beside(tmp_path: Path) -> None:
    folder = ladder(tmp_path)
    inside = write_bench_page(folder).stat().st_size
    path = write_bench_page(folder, shared=True)
    assert path == folder / "report.html"
    assert path.stat().st_size < 400_000 < inside
    [script] = folder.parent.glob("plotly-*.js")
    assert f"../{script.name}" in path.read_text()


@pytest.mark.parametrize("name", [HOSTILE, ESCAPES])
def test_hostile_names_are_text(tmp_path: Path, name: str) -> None:
    for text in (page(ladder(tmp_path, axis=name)), page(peers(tmp_path, subject=name))):
        assert "<img" not in text
        assert "\x1b" not in text


def test_amounts_have_three_digits_or_more() -> None:
    told = [amount(value) for value in (None, 0.0, 0.03342, 12.345, 999.4, 1_234.5, 1e6)]
    assert told == [None, "0", "0.0334", "12.3", "999", "1,234", "1,000,000"]
