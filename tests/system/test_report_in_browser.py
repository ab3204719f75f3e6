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


def test_every_chart_is_drawn_with_its_data_once_it_is_seen(
    browser: Chromium, report: Path
) -> None:
    with browser.visit(report) as visit:
        page = visit.page
        waiting = page.locator("figure.chart:not([data-done])").count()
        assert 0 < waiting < draw_all(page)
        points = visit.points()
        assert len(points) >= 10
        assert all(any(counts) for counts in points.values())
        assert visit.overflow_px() == 0
        assert visit.grave_violations() == []
        buttons = page.locator(".modebar-btn").evaluate_all("all => all.map(b => b.dataset.title)")
        assert any("zoom" in one.lower() for one in buttons)
        assert not [one for one in buttons if "cloud" in one.lower() or "plotly" in one.lower()]
        _tells_of_what_is_pointed_at(page)
        page.evaluate("scrollTo(0, 0)")
        visit.shoot("report-light")
        _changes_its_colours(page)
        assert visit.grave_violations() == []
        visit.shoot("report-dark")
        _prints(page)


def _tells_of_what_is_pointed_at(page: Page) -> None:
    cells = page.evaluate(
        """() => {
          const plot = document.querySelector('[data-chart^="ports-"] .js-plotly-plot');
          const text = plot.data.find(one => one.type === 'heatmap').text;
          return [text[0][0], text[0].at(-1)];
        }"""
    )
    assert cells == ["free", "mostly TIME_WAIT, 100% in use"]
    place = page.locator('[data-chart="rates"] .nsewdrag').first
    place.scroll_into_view_if_needed()
    place.hover()
    page.wait_for_selector('[data-chart="rates"] .hoverlayer text')


def _changes_its_colours(page: Page) -> None:
    """By the keyboard: the button comes right after the skip link."""
    ground = "() => getComputedStyle(document.body).backgroundColor"
    before = page.evaluate(ground)
    page.locator("a.skip").focus()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    assert page.evaluate(ground) != before


def _prints(page: Page) -> None:
    """As drawings on white, however the screen looks."""
    page.emulate_media(media="print")
    drawings = page.locator("figure.chart .still svg")
    assert all(drawings.nth(at).is_visible() for at in range(drawings.count()))
    assert not page.locator("figure.chart .drawn").first.is_visible()
    assert len(page.pdf()) > 50_000


def test_a_narrow_dark_screen_without_scripts_shows_everything(
    browser: Chromium, report: Path
) -> None:
    with browser.visit(report, width=390, dark=True, scripts=False) as visit:
        drawings = visit.page.locator("figure.chart svg")
        assert drawings.count() >= 10
        assert all(drawings.nth(at).is_visible() for at in range(drawings.count()))
        visit.shoot("report-narrow-no-script")


def test_a_hostile_scenario_does_nothing(browser: Chromium, tmp_path: Path) -> None:
    folder = stored_run(tmp_path, title=HOSTILE, expect=HOSTILE)
    change_manifest(folder, variant=HOSTILE, scenario_text=HOSTILE)
    page = write_run_page(folder)
    with browser.visit(page, width=390) as visit:  # fails on a dialog or an error
        draw_all(visit.page)
        assert visit.page.locator("img").count() == 0
        assert visit.page.locator("h1").inner_text().startswith("</script><img src=x")
        assert visit.overflow_px() == 0
