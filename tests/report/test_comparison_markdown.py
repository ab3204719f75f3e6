"""A comparison for an issue: tables that stay tables."""

from __future__ import annotations

from simulator.report.comparison_markdown import comparison_markdown
from tests.report.test_comparison_text import side, table


def test_a_comparison_is_three_tables_and_its_words() -> None:
    differing = {"place": "scenario", "key": "kernel.port_range", "values": ["1-2", "1-3"]}
    text = comparison_markdown(table(differences=[differing]))
    assert "| A | port-wall | run-A | ok | valid |" in text
    assert "| scenario | kernel.port\\_range | 1-2 | 1-3 |" in text
    assert "| series | A | B | B / A |\n| --- | ---: | ---: | ---: |\n" in text
    assert "| connect.p99 | 100us | 125us | 1.250 (1.100..1.400) slower |" in text


def test_limits_and_what_was_overruled_are_lines() -> None:
    limit = {"text": "failed > +5", "side": "B", "base": 1.0, "value": 9.0}
    text = comparison_markdown(
        table(
            obstacles=[{"message": "B: sent late"}],
            limits=[limit | {"failed": True, "why": "beyond"}],
        )
    )
    assert "- Not comparable: B: sent late\n" in text
    assert "- FAILED: failed \\> +5   B: 1 -\\> 9   beyond\n" in text


def test_hostile_text_ends_no_cell() -> None:
    text = comparison_markdown(table(sides=[side("A", scenario="a|b<img>"), side("B")]))
    assert "a\\|b\\<img\\>" in text
