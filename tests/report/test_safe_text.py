"""Nothing from outside reaches a terminal as anything but text."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.report.safe_text import MARK, safe


@pytest.mark.parametrize(
    "hostile",
    [
        "\x1b[31mred\x1b[0m",
        "\x1b]0;title\x07",
        "\x9b31m",
        "a\rb",
        "a\nb\u2028c\u2029d",
        "\u202egnp.exe",
        "\ud800",
        "nul\0",
    ],
)
def test_what_would_act_on_a_terminal_is_marked(hostile: str) -> None:
    shown = safe(hostile)
    assert MARK in shown
    shown.encode()  # a lone surrogate would raise here
    assert not any(unicodedata.category(char).startswith("C") for char in shown)


@given(st.text(), st.integers(2, 50))
def test_the_result_is_one_printable_line_within_its_limit(text: str, limit: int) -> None:
    shown = safe(text, limit)
    assert len(shown) <= limit
    assert len(shown.splitlines()) <= 1
    assert shown.isprintable()


def test_ordinary_text_is_kept() -> None:
    assert safe("Überlast → 5 % [bold]x[/bold] 日本") == "Überlast → 5 % [bold]x[/bold] 日本"
    assert safe(3.5) == "3.5"
