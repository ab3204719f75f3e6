"""The kind of loop in words, and the warning where two kinds stand side by side."""

from __future__ import annotations

from simulator.report.loop_text import NOT_COMPARED, loop_kind, loop_words, mixed_loops

OPEN = {"loop": {"kind": "open", "users": 0}}
CLOSED = {"loop": {"kind": "closed", "users": 1200}}


def test_a_closed_loop_is_named_with_its_users() -> None:
    assert loop_words(CLOSED) == "closed loop, 1,200 users"
    assert loop_words({"loop": {"kind": "closed"}}) == "closed loop"
    assert loop_words(OPEN) == "open loop"


def test_what_does_not_say_is_an_open_loop() -> None:
    assert [loop_kind(one) for one in ({}, {"loop": None}, OPEN, CLOSED)] == [
        "open",
        "open",
        "open",
        "closed",
    ]


def test_only_a_mixture_is_warned_of() -> None:
    assert mixed_loops([OPEN, OPEN]) == mixed_loops([CLOSED, CLOSED]) == mixed_loops([]) == ""
    assert NOT_COMPARED in mixed_loops([OPEN, CLOSED])
