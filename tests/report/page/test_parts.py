"""Pieces of a page: well-formed, with captions and scopes, and nothing where there is nothing."""

from __future__ import annotations

from xml.etree import ElementTree as ET

import pytest

from simulator.report.page import parts
from tests.support.drawn import lines_chart
from tests.support.pages import ESCAPES, HOSTILE


@pytest.mark.parametrize("words", [HOSTILE, ESCAPES, "plain"])
def test_pieces_hold_only_the_tags_of_their_own(words: str) -> None:
    made = "".join(
        (
            parts.table(words, (words, words), [(words, None), (1, words)]),
            parts.facts([(words, words), ("left out", None)]),
            parts.listing([words], ordered=True),
            parts.paragraph(words, "under"),
            parts.folded(words, parts.listing([words])),
            parts.listing_text(words, words),
        )
    )
    root = ET.fromstring(f"<main>{made}</main>")
    assert {one.tag for one in root.iter()} <= {
        *("main", "div", "table", "caption", "thead", "tbody", "tr", "th", "td", "dl", "dt"),
        *("dd", "ol", "ul", "li", "p", "details", "summary", "pre"),
    }


def test_tables_name_their_rows_and_columns() -> None:
    root = ET.fromstring(parts.table("what", ("", "count"), [("a", 1), ("b", None)]))
    assert root.findtext(".//caption") == "what"
    assert [one.attrib["scope"] for one in root.iter("th")] == ["col", "col", "row", "row"]
    assert [one.text for one in root.iter("td")] == ["1", "–"]


def test_nothing_gives_nothing() -> None:
    assert parts.table("t", ("a",), []) == ""
    assert parts.facts([("a", None)]) == ""
    assert parts.listing([]) == ""
    assert parts.folded("t", "") == ""
    assert parts.drawing(None) == ""
    assert parts.section(parts.Section(name="a", title="b", body="")) == ""


def test_a_chart_stands_there_as_a_drawing_and_as_data() -> None:
    made = parts.drawing(lines_chart(name="rates", text=HOSTILE))
    assert made.count("<svg ") == 1
    assert made.count("<script ") == 1
    assert 'id="data-rates"' in made
    assert "<img" not in made


def test_a_section_is_named_by_its_heading() -> None:
    body = parts.paragraph("x")
    root = ET.fromstring(parts.section(parts.Section(name="errors", title="A & B", body=body)))
    assert root.attrib == {"id": "errors", "aria-labelledby": "errors-h"}
    heading = root.find("h2")
    assert heading is not None
    assert (heading.attrib["id"], heading.text) == ("errors-h", "A & B")
