"""Complaints name their place and never carry an escape to a terminal."""

from __future__ import annotations

import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from simulator.errors import EXIT_USAGE
from simulator.scenario.complaint import (
    Complaint,
    Place,
    ScenarioComplaintsError,
    Source,
    printable,
)


def complaint(line: str, column: int, *, at: int = 1, name: str = "a.yaml") -> Complaint:
    source = Source(name=name, lines=["first"] * (at - 1) + [line])
    return Complaint(
        place=Place(source=source, line=at, column=column), path="a.b", message="is wrong; mend it"
    )


def test_a_complaint_shows_place_path_line_and_caret() -> None:
    assert complaint("  key: value", 8, at=12).render() == (
        "a.yaml:12:8: a.b: is wrong; mend it\n  12 |   key: value\n     |        ^"
    )


def test_a_long_line_is_cut_around_the_column() -> None:
    line = "x" * 300 + "HERE" + "y" * 300
    _, shown, caret = complaint(line, 301).render().split("\n")
    assert len(shown) < 130
    assert shown[caret.index("^") :].startswith("HERE")


def test_the_caret_allows_for_wide_characters() -> None:
    _, shown, caret = complaint("字字: x", 5).render().split("\n")
    width = sum(2 if unicodedata.east_asian_width(sign) in "WF" else 1 for sign in shown)
    assert width == caret.index("^") + 1


@given(st.text())
def test_what_is_shown_never_steers_a_terminal(text: str) -> None:
    shown = printable(text)
    assert not [c for c in shown if unicodedata.category(c)[0] == "C"]
    assert printable("\x1b]0;owned\x07\u202e") == "\\x1b]0;owned\\x07\\u202e"


@given(st.text(), st.integers(1, 400), st.text())
def test_rendering_never_fails_and_never_shows_a_control(line: str, column: int, name: str) -> None:
    text = complaint(line.replace("\n", ""), column, name=name).render()
    assert not [c for c in text if c != "\n" and unicodedata.category(c)[0] == "C"]


def test_complaints_are_kept_once_in_order_of_the_file_with_flags_last() -> None:
    late, early = complaint("b", 1, at=7), complaint("a", 2, at=3)
    flag = complaint("seed=x", 1, name="--set")
    error = ScenarioComplaintsError([flag, late, early, late])
    assert error.complaints == (early, late, flag)
    assert error.exit_code == EXIT_USAGE
    assert str(error).count("is wrong") == 3
