"""The live page in a real browser: a run that fills its ports, seen, restyled, and stopped."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.command import Running, write_scenario
from tests.support.looking import link_of

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Page

    from tests.support.browser import Chromium

# A browser takes all of a core while it starts, so it is not one of several tests at once.
pytestmark = [pytest.mark.browser, pytest.mark.alone]

SCENARIO = """\
title: <script>alert("title")</script> & a wall
kernel: {port_range: 50000-50499, time_wait: 500ms}
backends: {count: 1}
traffic:
  - {name: "<img src=x onerror=alert(1)>", for: 60s, arrivals: {constant: 300/s}}
grace: 1s
"""
CHARTS = "() => document.querySelectorAll('.js-plotly-plot').length"


def wait(page: Page, condition: str) -> None:
    """Until a script's expression holds."""
    page.wait_for_function(f"() => {condition}", timeout=20_000)


def text(page: Page, selector: str) -> str:
    """What a reader reads there."""
    return page.inner_text(selector)


@pytest.mark.namespace
def test_a_run_is_seen_in_a_browser_and_stopped_there(browser: Chromium, tmp_path: Path) -> None:
    running = Running(
        write_scenario(tmp_path / "wall.yaml", SCENARIO),
        tmp_path / "results",
        *("--live", "--quiet"),
    )
    try:
        link = link_of(running)
        with browser.visit(link.url) as visit:
            page = visit.page
            wait(page, "document.querySelector('.js-plotly-plot')?._fullData?.length")
            # Text from the scenario is text, and the page is about this run.
            assert text(page, "#title") == '<script>alert("title")</script> & a wall'
            assert "running <img src=x onerror=alert(1)>" in text(page, "#standing")
            assert "STILL RUNNING" in text(page, "#verdict")
            assert "tuples" in text(page, "#hops")
            # Charts have data, and more of it as time goes on.
            page.locator("#chart-tuples-balancer-backend").scroll_into_view_if_needed()
            values = (
                "document.querySelector('#chart-tuples-balancer-backend .drawn')"
                "?._fullData?.[0]?._length"
            )
            wait(page, f"{values} > 3")
            before = page.evaluate(values)
            wait(page, f"{values} > {before}")
            assert all(sum(counts) > 0 for counts in visit.points().values())
            # Dark, narrow, and for those who do not see it.
            page.evaluate("scrollTo(0, 0)")
            visit.shoot("live-light", full=False)
            assert visit.grave_violations() == []
            ground = "getComputedStyle(document.body).backgroundColor"
            light = page.evaluate(ground)
            page.emulate_media(color_scheme="dark")
            assert page.evaluate(ground) != light
            page.set_viewport_size({"width": 380, "height": 800})
            root = "document.documentElement"
            wait(page, f"{root}.scrollWidth <= {root}.clientWidth")
            visit.shoot("live-dark-narrow", full=False)
            # The button, which asks once more.
            page.click("#stop")
            page.click("#stop-now")
            wait(page, "document.querySelector('#notice').textContent.includes('has ended')")
            assert "STILL RUNNING" not in text(page, "#verdict")
            assert page.is_hidden("#stop")
        assert running.finish().code == 130
        assert (running.folder / "summary.json").exists()
    finally:
        running.abandon()
