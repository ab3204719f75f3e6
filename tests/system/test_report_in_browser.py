"""The report in a real browser: charts with data, no error, no request, readable in every way."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from simulator.report.page.run_page import write_run_page
from tests.support.pages import HOSTILE, stored_run
from tests.support.stored import change_manifest

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Page

    from tests.support.browser import Chromium

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of a run with every chart."""
    return write_run_page(stored_run(tmp_path_factory.mktemp("report")))


def draw_all(page: Page) -> int:
    """Scroll to each chart until the script has drawn it; gives their number."""
    frames = page.locator("figure.chart")
    for at in range(frames.count()):
        frames.nth(at).scroll_into_view_if_needed()
        page.wait_for_function(
            "at => document.querySelectorAll('figure.chart')[at].dataset.drawn", arg=at
        )
    return frames.count()


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_every_chart_is_drawn_with_its_data(browser: Chromium, report: Path, dark: bool) -> None:
    with browser.visit(report, dark=dark) as visit:
        assert draw_all(visit.page) >= 10
        points = visit.points()
        assert len(points) >= 10
        assert all(any(counts) for counts in points.values())
        assert visit.overflow_px() == 0
        assert visit.grave_violations() == []
        visit.page.evaluate("scrollTo(0, 0)")
        visit.shoot(f"report-{'dark' if dark else 'light'}")


def test_charts_wait_until_someone_scrolls_there(browser: Chromium, report: Path) -> None:
    with browser.visit(report) as visit:
        frames = visit.page.locator("figure.chart")
        assert visit.page.locator("figure.chart[data-drawn]").count() < frames.count()


def test_cells_and_lines_tell_what_they_are(browser: Chromium, report: Path) -> None:
    with browser.visit(report) as visit:
        draw_all(visit.page)
        words = visit.page.evaluate(
            """() => {
              const plot = document.querySelector('[data-chart^="ports-"] .js-plotly-plot');
              const text = plot.data.find(one => one.type === 'heatmap').text;
              return [text[0][0], text[0].at(-1)];
            }"""
        )
        assert words == ["free", "mostly TIME_WAIT, 100% in use"]
        plot = visit.page.locator('[data-chart="rates"] .nsewdrag').first
        plot.scroll_into_view_if_needed()
        plot.hover()
        visit.page.wait_for_selector(
            '[data-chart="rates"] .hovertext, [data-chart="rates"] .legend'
        )


def test_a_narrow_screen_shows_everything(browser: Chromium, report: Path) -> None:
    with browser.visit(report, width=390) as visit:
        draw_all(visit.page)
        assert visit.overflow_px() == 0
        visit.page.evaluate("scrollTo(0, 0)")
        visit.shoot("report-narrow")


def test_the_reader_may_choose_the_other_colours(browser: Chromium, report: Path) -> None:
    ground = "() => getComputedStyle(document.body).backgroundColor"
    with browser.visit(report) as visit:
        before = visit.page.evaluate(ground)
        visit.page.keyboard.press("Tab")
        visit.page.keyboard.press("Tab")
        visit.page.keyboard.press("Enter")  # the button comes right after the skip link
        assert visit.page.evaluate(ground) != before


def test_without_scripts_the_drawings_stand_there(browser: Chromium, report: Path) -> None:
    with browser.visit(report, scripts=False) as visit:
        drawings = visit.page.locator("figure.chart svg")
        assert drawings.count() >= 10
        assert all(drawings.nth(at).is_visible() for at in range(drawings.count()))
        visit.shoot("report-no-script")


def test_it_prints_with_all_charts(browser: Chromium, report: Path) -> None:
    with browser.visit(report, dark=True) as visit:
        draw_all(visit.page)
        visit.page.emulate_media(media="print")
        drawings = visit.page.locator("figure.chart .still svg")
        assert all(drawings.nth(at).is_visible() for at in range(drawings.count()))
        assert not visit.page.locator("figure.chart .drawn").first.is_visible()
        assert len(visit.page.pdf()) > 50_000


def test_a_hostile_scenario_does_nothing(browser: Chromium, tmp_path: Path) -> None:
    folder = stored_run(tmp_path, title=HOSTILE, expect=HOSTILE)
    change_manifest(folder, variant=HOSTILE, scenario_text=HOSTILE)
    with browser.visit(write_run_page(folder)) as visit:  # fails on a dialog or an error
        draw_all(visit.page)
        assert visit.page.locator("img").count() == 0
        assert visit.page.locator("h1").inner_text().startswith("</script><img src=x")
