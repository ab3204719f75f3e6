"""The file as a whole: a policy that fits its scripts, and no address of elsewhere."""

from __future__ import annotations

import hashlib
import re
from base64 import b64encode

from simulator.report.page.document import digest, document, library, library_name, own
from simulator.report.page.parts import Section, drawing, paragraph
from tests.support.drawn import lines_chart

CHARTS = [Section(name="a", title="A", body=drawing(lines_chart()))]
WORDS = [Section(name="a", title="A", body=paragraph("words"))]
RUN = re.compile(r"<script>(.*?)</script>", re.DOTALL)


def policy(page: str) -> str:
    found = re.search(r'Content-Security-Policy" content="([^"]*)"', page)
    assert found is not None
    return found[1]


def test_each_script_that_runs_is_named_by_its_digest() -> None:
    page = document("t", "", CHARTS)
    allowed = policy(page)
    scripts = RUN.findall(page)
    assert len(scripts) == 2
    for script in scripts:
        own_digest = b64encode(hashlib.sha256(script.encode()).digest()).decode()
        assert f"'sha256-{own_digest}'" in allowed
        assert digest(script) in allowed
    assert allowed.startswith("default-src 'none'")
    assert "unsafe-eval" not in allowed
    assert "http" not in allowed


def test_a_page_without_charts_carries_no_chart_script() -> None:
    assert len(document("t", "", WORDS)) < 40_000
    assert len(document("t", "", CHARTS)) > len(library())


def test_the_shared_script_is_let_in_by_a_word_of_its_own() -> None:
    page = document("t", "", CHARTS, shared=f"../{library_name()}")
    (word,) = re.findall(r'<script nonce="([0-9a-f]{32})" src="\.\./plotly-[0-9a-f]{12}', page)
    assert f"'nonce-{word}'" in policy(page)
    other = document("t", "", [*CHARTS, *WORDS[:0]], shared="../x.js")
    assert len(page) < 100_000
    assert len(other) < 100_000


def test_nothing_of_the_page_names_an_address() -> None:
    page = document("t", "", CHARTS).replace(library(), "")
    assert not re.search(r"(src|href)=\"?(https?:)?//", page)
    assert "http://" not in own("page.css") + own("page.js")
    assert "https://" not in own("page.css") + own("page.js")


def test_empty_sections_have_no_link() -> None:
    page = document("t", "", [*WORDS, Section(name="gone", title="Gone", body="")])
    assert 'href="#a"' in page
    assert "gone" not in page
