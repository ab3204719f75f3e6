"""Moves in words: nothing where nobody moved, and every cost where somebody did."""

from __future__ import annotations

from simulator.report.moves_text import moves_lines


def test_nobody_moved() -> None:
    assert moves_lines({"left": 0, "back": 0, "misdelivered": 0}) == []
    assert moves_lines({}) == []
    assert moves_lines({"left": "many"}) == []  # a summary may come from somebody else


def test_every_cost_is_named() -> None:
    found = moves_lines(
        {"left": 1234, "back": 2, "waits": 3, "drained": 4, "cut": 5, "hung": 6}
        | {"refused_after_move": 7, "misdelivered": 8}
    )
    assert found[0] == "1,234 left, 2 came back"
    assert found[1].startswith("4 open connections drained, 5 cut, 6 left hanging, 7 dials")
    assert found[1].endswith("8 delivered to another backend")
    assert "3 times" in found[2]


def test_stops_of_flapping_backends_are_told() -> None:
    lines = moves_lines({"left": 0, "back": 0, "flaps": 1200, "refused_while_down": 3})
    assert lines == ["1,200 stops of listening, 3 dials refused meanwhile"]
