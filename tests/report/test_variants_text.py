"""Variants side by side."""

from __future__ import annotations

import re

from simulator.report.variants_text import variants_text
from tests.support.summaries import summary


def test_variants_stand_side_by_side_with_their_verdicts_above() -> None:
    mended = summary(
        variant="many addresses",
        verdict={"code": "ok", "sentence": "Nothing ran out: peak 412 of 2,000."},
        rates_per_s={"asked": 4000.0, "sent": 4000.0, "ok": 4000.0},
        valid=False,
    )
    text = variants_text([summary(variant="one"), mended], width=120)
    assert text.splitlines()[0].startswith("one: The balancer ran out of source ports")
    assert "many addresses: Nothing ran out" in text
    lines = [re.split(r"\s{2,}", line.strip()) for line in text.splitlines()]
    assert ["verdict", "balancer-source-ports", "ok"] in lines
    assert ["valid", "yes", "NO"] in lines
    assert ["ok", "2,351/s", "4,000/s"] in lines
    assert ["balancer-backend ran out at", "1.9s", "1.9s"] in lines


def test_what_no_variant_has_is_left_out_and_what_one_lacks_is_a_dash() -> None:
    bare = {"variant": "bare"}
    text = variants_text([bare, summary(variant="full", cpu={})], width=120)
    assert "balancer CPU each" not in text
    assert re.search(r"^asked +– +4,000/s$", text, re.MULTILINE)


def test_hostile_names_are_only_text() -> None:
    text = variants_text([summary(variant="\x1b[2J[red]"), {}])
    assert "\x1b" not in text
    assert "[2J[red]" in text
    assert "variant 2" in text


def test_the_kind_of_loop_is_told_and_two_kinds_are_warned_of() -> None:
    closed = summary(variant="closed", loop={"kind": "closed", "users": 50})
    opened = summary(variant="open", loop={"kind": "open", "users": 0})
    both = variants_text([opened, closed], width=140)
    assert re.search(r"^loop +open +closed, 50 users$", both, re.MULTILINE)
    assert "open and closed loop are not compared" in both
    assert "not compared" not in variants_text([closed, closed], width=140)
