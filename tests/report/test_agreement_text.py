"""Agreement as a table: every series with both numbers, its error and its judgement."""

from __future__ import annotations

from simulator.measure.agreement import Agreement
from simulator.report.agreement_text import agreement_markdown, agreement_text

FOUND = [
    Agreement(name="ok", kernel=12_000, model=12_345, error=0.02875, target=0.02),
    Agreement(name="hop in_use", kernel=3.5, model=3.5, error=0.0, target=0.05),
    Agreement(name="median response, ms", kernel=0.5, model=0, error=1.0, target=None),
]


def test_columns_line_up_and_misses_are_said() -> None:
    title, head, *lines = agreement_text("port-wall", FOUND).splitlines()
    assert title == "port-wall"
    assert head.split() == ["series", "kernel", "model", "error", "target"]
    assert lines[0].split() == ["ok", "12,000", "12,345", "2.88", "%", "2.00", "%", "MISSED"]
    assert lines[1].endswith("5.00 % holds")
    assert lines[2].endswith("–")
    assert len({len(line) for line in (head, *lines)}) == 1


def test_markdown_has_a_row_for_each_series() -> None:
    lines = agreement_markdown("port-wall", FOUND).splitlines()
    assert lines[0] == "### port-wall"
    assert lines[4:] == [
        "| ok | 12,000 | 12,345 | 2.88 % | 2.00 % MISSED |",
        "| hop in_use | 3.5 | 3.5 | 0.00 % | 5.00 % holds |",
        "| median response, ms | 0.5 | 0 | 100.00 % | – |",
    ]


def test_a_name_from_a_file_stays_text() -> None:
    assert "\x1b" not in agreement_text("a\x1b[31m", FOUND)
