"""Pages of comparisons, variants and benches in a real browser: drawn, quiet, fit for all."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from simulator.report.page.bench_page import write_bench_page
from simulator.report.page.comparison_page import comparison_page
from simulator.report.page.together import named
from simulator.report.page.variants_page import write_variants_page
from simulator.report.page.writing import write_whole
from simulator.report.stored import stored
from tests.report.test_comparison_text import side, table
from tests.support.benched import ladder
from tests.support.pages import HOSTILE, stored_run
from tests.support.stored import change_manifest
from tests.system.test_report_in_browser import draw_all

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.support.browser import Chromium

pytestmark = pytest.mark.browser


def comparison(root: Path) -> Path:
    """Two runs of which one has a name that a browser would like to run."""
    runs = [named(name, name.lower(), stored(stored_run(root))) for name in "AB"]
    made = table(sides=[side("A"), side("B", scenario=HOSTILE)])
    write_whole(root / "compare.html", comparison_page(made, runs))
    return root / "compare.html"


def variants(root: Path) -> Path:
    """Two variants with hostile words in all that a file may say."""
    folders = [stored_run(root, lesson=HOSTILE, expect=HOSTILE, title=HOSTILE) for _ in "ab"]
    for folder, name in zip(folders, ("owned", HOSTILE), strict=True):
        change_manifest(folder, variant=name)
    return write_variants_page(folders)


def scale(root: Path) -> Path:
    """A ladder whose axis is called as nobody should."""
    return write_bench_page(ladder(root, axis=HOSTILE))


@pytest.mark.parametrize(("make", "charts"), [(comparison, 10), (variants, 10), (scale, 2)])
def test_every_chart_is_drawn_and_nothing_else_happens(
    browser: Chromium, tmp_path: Path, make: Callable[[Path], Path], charts: int
) -> None:
    page = make(tmp_path)
    with browser.visit(page) as visit:  # fails on an error, a dialog, a request
        assert draw_all(visit.page) >= charts
        assert all(any(counts) for counts in visit.points().values())
        assert visit.grave_violations() == []
        assert visit.page.locator("img").count() == 0
        visit.page.evaluate("scrollTo(0, 0)")
        visit.shoot(f"page-{make.__name__}")
    with browser.visit(page, dark=True, width=390, scripts=False) as visit:
        assert visit.overflow_px() == 0
        drawings = visit.page.locator("figure.chart svg")
        assert drawings.count() >= charts
        assert drawings.first.is_visible()
