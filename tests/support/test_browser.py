"""The browser of the tests sees what a page does wrong, and how many values its charts have."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from plotly.offline import get_plotlyjs

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.browser import Chromium

pytestmark = pytest.mark.browser

WRONG = """<!doctype html><html lang=en><title>x</title><h1>Wrong</h1>
<img src="http://outside.example/x.png" alt="far away">
<script>alert('hello'); console.error('broken'); undefined_name.call()</script></html>"""
BARRED = """<!doctype html><html><title>x</title><main><h1>x</h1><img src="data:,">
<p style="color:#bbb;background:#fff">pale</p></main></html>"""


def test_a_page_that_misbehaves_fails_the_test(browser: Chromium, tmp_path: Path) -> None:
    page = tmp_path / "wrong.html"
    page.write_text(WRONG)
    with pytest.raises(AssertionError, match="misbehaved") as found, browser.visit(page):
        pass
    text = str(found.value)
    for part in ("outside.example", "dialog: hello", "console error: broken", "undefined_name"):
        assert part in text


def test_values_are_counted_pictures_kept_and_barriers_named(
    browser: Chromium, tmp_path: Path
) -> None:
    draw = """Plotly.newPlot('one', [{y: [1, 2, 3]}, {type: 'heatmap', z: [[1, 2], [3, 4]]},
        {x: new Float64Array(5), y: new Float64Array(5)}])"""
    (tmp_path / "plotly.js").write_text(get_plotlyjs())
    page = tmp_path / "chart.html"
    page.write_text(
        '<!doctype html><html lang=en><meta charset=utf-8><title>x</title><div id="one"></div>'
        f'<script src="plotly.js"></script><script>{draw}</script></html>'
    )
    with browser.visit(page) as visit:
        assert visit.points() == {"one": [3, 2, 5]}
        assert visit.shoot("chart").stat().st_size > 1000
        assert visit.overflow_px() == 0
    barred = tmp_path / "barred.html"
    barred.write_text(BARRED)
    with browser.visit(barred, expected=("console error",)) as visit:
        found = "\n".join(visit.grave_violations())
    for rule in ("color-contrast", "html-has-lang", "image-alt"):
        assert rule in found
