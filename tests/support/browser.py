"""A real browser that looks at our pages and lets nothing pass: no error, dialog or outside call.

Debian's chromium is driven by playwright. A page is visited in a context of its own; whatever it
does wrong while it is open fails the test when the visit ends, so a test need not ask for it.
"""

from __future__ import annotations

import os
import shutil
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

from tests.support.axe import AXE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, ConsoleMessage, Page, Request

#: Where pictures are kept; without it they go with the test's own folder.
SHOTS_VARIABLE: Final = "PORTCHURN_SHOTS"
#: Schemes by which a page talks to nobody.
_LOCAL: Final = ("file:", "data:", "blob:", "about:")
_FLAGS: Final = (
    "--headless",
    "--no-sandbox",  # CI is root in a container, where chromium's own sandbox cannot be had
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--no-proxy-server",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    # What would get past all of this finds no address.
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE ::1, EXCLUDE localhost",
)
#: Violations that fail a test; axe calls the others minor and moderate.
_GRAVE: Final = frozenset({"serious", "critical"})

_POINTS: Final = """() => Object.fromEntries(
  [...document.querySelectorAll('.js-plotly-plot')].map((plot, at) => [
    plot.id || String(at),
    plot._fullData.filter(one => one.visible === true).map(
      one => one._length ?? one.z?.length ?? one.x?.length ?? 0),
  ]))"""
_AXE: Final = """() => axe.run(document, {resultTypes: ['violations']}).then(found =>
  found.violations.map(one => ({id: one.id, impact: one.impact, help: one.help,
    where: one.nodes.map(node => node.target.join(' ') + ': ' + node.failureSummary)})))"""


@dataclass(slots=True, kw_only=True)
class Visit:
    """A page that is open.

    Attributes:
        page: playwright's own page, for what is not here.
        problems: errors, dialogs and requests to elsewhere so far, one line each.
    """

    page: Page
    shots: Path
    problems: list[str] = field(default_factory=list)

    def points(self) -> dict[str, list[int]]:
        """How many values each visible trace of each interactive chart has, by the chart's id."""
        found: dict[str, list[int]] = self.page.evaluate(_POINTS)
        return found

    def shoot(self, name: str, *, full: bool = True) -> Path:
        """Keep a picture of the page for people to look at; gives its file."""
        path = self.shots / f"{name}.png"
        self.page.screenshot(path=path, full_page=full)
        return path

    def grave_violations(self) -> list[str]:
        """What axe-core calls a serious or critical barrier; skips the test without axe-core."""
        if not AXE.is_file():
            pytest.skip("axe-core is not installed; `make axe` fetches it")
        self.page.evaluate(AXE.read_text())  # as an element, our own content policy would stop it
        found: list[dict[str, Any]] = self.page.evaluate(_AXE)
        return [
            f"{one['impact']} {one['id']}: {one['help']}\n  " + "\n  ".join(one["where"][:3])
            for one in found
            if one["impact"] in _GRAVE
        ]

    def overflow_px(self) -> int:
        """By how much the page is wider than its window."""
        root = "document.documentElement"
        return int(self.page.evaluate(f"() => {root}.scrollWidth - {root}.clientWidth"))


class Chromium:
    """One browser, for pages one after the other or side by side."""

    def __init__(self, browser: Browser, shots: Path) -> None:
        self._browser = browser
        self._shots = shots

    @contextmanager
    def visit(
        self,
        where: str | Path,
        *,
        dark: bool = False,
        width: int = 1280,
        scripts: bool = True,
        expected: tuple[str, ...] = (),
    ) -> Iterator[Visit]:
        """Open a page in a context of its own; fails the test for what goes wrong meanwhile.

        Args:
            where: a file, or a URL; only what has the same origin may be asked for.
            dark: whether the reader asks for dark colours.
            width: of the window, in CSS pixels.
            scripts: whether scripts of the page run.
            expected: parts of lines of `problems` that are meant to happen.
        """
        url = where.resolve().as_uri() if isinstance(where, Path) else where
        origin = "/".join(url.split("/")[:3]) + "/"
        context = self._browser.new_context(
            viewport={"width": width, "height": 900},
            color_scheme="dark" if dark else "light",
            java_script_enabled=scripts,
            reduced_motion="reduce",
        )
        context.set_default_timeout(20_000)
        try:
            visit = Visit(page=context.new_page(), shots=self._shots)
            _watch(visit, origin)
            visit.page.goto(url)
            yield visit
            left = [one for one in visit.problems if not any(part in one for part in expected)]
            assert not left, "the page misbehaved:\n" + "\n".join(left)
        finally:
            context.close()


def _watch(visit: Visit, origin: str) -> None:
    """Write down whatever a page of ours never does."""

    def console(message: ConsoleMessage) -> None:
        if message.type in ("error", "warning", "assert"):
            visit.problems.append(f"console {message.type}: {message.text}")

    def request(asked: Request) -> None:
        if not asked.url.startswith((*_LOCAL, origin)):
            visit.problems.append(f"request to elsewhere: {asked.url}")

    page = visit.page
    page.on("console", console)
    page.on("request", request)
    page.on("pageerror", lambda error: visit.problems.append(f"script error: {error}"))
    page.on("popup", lambda other: visit.problems.append(f"opened a window: {other.url}"))
    page.on("download", lambda file: visit.problems.append(f"download: {file.url}"))

    def dialog(opened: Any) -> None:  # noqa: ANN401 - playwright's Dialog, kept from the signature
        visit.problems.append(f"dialog: {opened.message}")
        opened.dismiss()

    page.on("dialog", dialog)


@contextmanager
def chromium(shots: Path) -> Iterator[Chromium]:
    """Start the browser with a profile of its own, and end it; skips the test where there is none.

    Playwright's event loop counts as running on this thread until the end, so no asynchronous
    test can be run meanwhile.
    """
    from playwright.sync_api import sync_playwright  # costs every worker of the tests otherwise

    binary = shutil.which("chromium")
    if binary is None:
        pytest.skip("chromium is not installed; on Debian: apt-get install chromium")
    kept = os.environ.get(SHOTS_VARIABLE)
    folder = Path(kept).resolve() if kept else shots
    folder.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=binary, args=list(_FLAGS))
        try:
            yield Chromium(browser, folder)
        finally:
            browser.close()
