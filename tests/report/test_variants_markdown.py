"""Variants as a Markdown table: what differs in columns, what does not in a sentence."""

from __future__ import annotations

from simulator.report.variants_markdown import variants_markdown
from tests.support.summaries import summary


def table(text: str) -> list[list[str]]:
    lines = [line for line in text.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]


def test_each_variant_is_a_row_and_only_what_differs_is_a_column() -> None:
    faster = summary(variant="two", rates_per_s={"asked": 4000.0, "sent": 4000.0, "ok": 4000.0})
    text = variants_markdown([summary(variant="one"), faster])
    assert table(text) == [
        ["variant", "ok"],
        ["---", "---:"],
        ["one", "2,351/s"],
        ["two", "4,000/s"],
    ]
    assert text.startswith("The same in all: verdict balancer-source-ports, valid yes, ")
    assert text.endswith("|\n")


def test_names_do_not_break_out_of_their_cells() -> None:
    text = variants_markdown([summary(variant="a|b"), summary(variant="`x`\x1b", valid=False)])
    assert [row[0] for row in table(text)[2:]] == ["a\\|b", "\\`x\\`\N{REPLACEMENT CHARACTER}"]


def test_two_kinds_of_loop_are_said_to_be_no_comparison() -> None:
    closed = summary(variant="closed", loop={"kind": "closed", "users": 5})
    opened = summary(variant="open", loop={"kind": "open", "users": 0})
    text = variants_markdown([opened, closed])
    assert text.startswith("Side by side only: open and closed loop are not compared")
    assert "closed, 5 users" in text
