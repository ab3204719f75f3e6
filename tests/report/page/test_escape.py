"""Text stays text in an element, in an attribute and in a script, whatever it holds."""

from __future__ import annotations

import html
import json
import re
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.report.page.escape import block, data, text
from tests.support.pages import ESCAPES, HOSTILE


class Tags(HTMLParser):
    """Collects the tags of a page and what scripts hold."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[str] = []
        self.words = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)

    def handle_data(self, data: str) -> None:
        self.words += data


def read(markup: str) -> Tags:
    found = Tags()
    found.feed(markup)
    found.close()
    return found


@given(value=st.text(max_size=60) | st.sampled_from([HOSTILE, ESCAPES]))
def test_text_makes_no_tag_and_leaves_no_attribute(value: str) -> None:
    found = read(f'<p title="{text(value)}">{text(value)}</p>')
    assert found.tags == ["p"]
    assert not re.search("[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", found.words)


@given(value=st.recursive(st.text(max_size=30) | st.integers(), st.lists))
def test_a_script_reads_what_was_given(value: object) -> None:
    found = read(data("x", {"value": value, "bad": HOSTILE}))
    assert found.tags == ["script"]
    assert json.loads(found.words) == {"value": value, "bad": HOSTILE}


def test_nothing_in_a_script_ends_it_or_opens_a_comment() -> None:
    body = data("x", [HOSTILE, "<!--", "]]>", "\u2028"])
    assert body.count("</") == 1
    assert "<!--" not in body


def test_numbers_that_json_has_no_word_for_are_refused() -> None:
    with pytest.raises(ValueError, match="JSON"):
        data("x", float("nan"))


def test_a_block_keeps_its_lines_and_nothing_else() -> None:
    found = block("a: 1\n\tb: \x1b[31m<b>\n")
    assert html.unescape(found).split("\n") == ["a: 1", "    b: \ufffd[31m<b>", ""]
    assert block("x" * 10, 4) == "xxx…"
