"""Slugs: safe for any text, readable for ordinary ones, different for different texts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.slugs import LATEST, is_slug, slug

HOSTILE = (
    "../../etc/passwd", "/absolute", "nul\0byte", "line\nbreak", "x" * 300, "CON", "-rf",
    "\u202eright-to-left", "", ".", "..", "latest", "a/b", "ümlaut", "\x1b[31m", "\ud800",
)  # fmt: skip


@given(st.text())
def test_every_text_has_a_safe_slug(text: str) -> None:
    assert is_slug(slug(text))
    assert slug(text) != LATEST


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_names_become_harmless_and_stay_apart(text: str) -> None:
    made = slug(text)
    assert is_slug(made)
    others = {slug(other) for other in HOSTILE if other != text and other.lower() != text.lower()}
    assert made not in others


@pytest.mark.parametrize(
    ("name", "plain"),
    [
        ("port-wall", "port-wall"),
        ("Port_wall.two times", "port-wall-two-times"),
        ("a.b", "a-b"),
    ],
)
def test_ordinary_names_keep_their_look(name: str, plain: str) -> None:
    assert slug(name) == plain
