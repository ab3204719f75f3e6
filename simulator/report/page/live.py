"""The live page: a shell without a word of the run in it, and what its script is told to fill it.

The shell is the same for every run, so that whoever gets it without the run's token has learnt
nothing. Charts, verdict and trust box are those of the report, made from the same folder.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from simulator.measure.so_far import series_so_far
from simulator.report.charts.figure import figure
from simulator.report.charts.story import tell
from simulator.report.page.document import library, own
from simulator.report.page.run_page import charts
from simulator.report.page.verdict import remedies, trust, verdict_box
from simulator.report.safe_text import safe
from simulator.report.stored import LEADS

if TYPE_CHECKING:
    from simulator.report.stored import Stored

_SCRIPT: Final = "text/javascript; charset=utf-8"
_STYLE: Final = "text/css; charset=utf-8"


def files() -> dict[str, tuple[str, bytes]]:
    """Path -> content type and bytes of all that the page asks for; the shell is at ``/``."""
    return {
        "/": ("text/html; charset=utf-8", own("live.html").encode()),
        "/page.css": (_STYLE, own("page.css").encode()),
        "/live.css": (_STYLE, own("live.css").encode()),
        "/plotly.js": (_SCRIPT, library().encode()),
        "/page.js": (_SCRIPT, own("page.js").encode()),
        "/live.js": (_SCRIPT, own("live.js").encode()),
    }


def picture(found: Stored) -> dict[str, Any]:
    """Verdict so far and all charts, as plain JSON values; markup is made by `page` alone."""
    story = tell(found.run, found.summary)
    if found.status == "running":
        story = replace(story, series=series_so_far(story.series, found.run))
    manifest = found.run.manifest
    return {
        "is": "picture",
        "under": safe(f"{manifest.get('scenario')} · {manifest.get('id')}", 200),
        "verdict": verdict_box(found.summary, story.series, LEADS.get(found.status, "")),
        "change": remedies(found.summary).body,
        "trust": trust(found.summary).body,
        "charts": [
            {"name": one.name, "title": one.title, "says": one.says, "figure": figure(one)}
            for one in charts(story)
        ],
    }
