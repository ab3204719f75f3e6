"""The table of repeats on screen: what is known, how sure it is, and what was left out."""

from __future__ import annotations

from typing import Any

from simulator.measure.repeats import Repeat, repeats
from simulator.report.repeats_text import repeats_text
from tests.support.summaries import summary


def table(count: int, **changes: Any) -> dict[str, Any]:  # noqa: ANN401 - fields
    """Rounds of two variants, the second of which sends its median answer twice as late."""
    runs = []
    for block in range(count):
        for name, factor in (("early", 1), ("late", 2)):
            made = summary(variant=name, doubts=[], **changes)
            made["latency_ns"]["response"]["p50"] = 400_000 * factor
            runs.append(Repeat(block=block, path="", summary=made))
    return repeats(runs, seed=1)


def test_five_rounds_tell_an_interval_and_a_word() -> None:
    text = repeats_text(table(5), width=120)
    assert text.startswith("Medians over runs; valid runs: early 5 of 5, late 5 of 5. Intervals")
    assert "400us (400us..400us)" in text
    (line,) = [one for one in text.splitlines() if "late / early" in one and "response.p50" in one]
    assert line.split() == ["late", "/", "early", "response.p50", "2.000", "2.000..2.000", "slower"]


def test_four_rounds_tell_neither() -> None:
    text = repeats_text(table(4), width=120)
    assert "Fewer than five valid runs give no interval." in text
    assert "slower" not in text
    assert ".." not in text


def test_left_out_runs_are_named_with_their_reason() -> None:
    bad = {"code": "pause", "message": "stood still\x1b[31m", "remedy": "", "invalid": True}
    made = summary(run="20260101-120000-ab12", valid=False, doubts=[bad])
    text = repeats_text(repeats([Repeat(block=0, path="", summary=made)], seed=1))
    assert "Left out: 20260101-120000-ab12: stood still" in text
    assert "\x1b" not in text


def test_none_of_many_names_its_upper_limit() -> None:
    calm = summary()["attempts"] | {"sent": 100, "failed": 0}
    text = repeats_text(table(5, attempts=calm), width=120)
    assert "early: 0 of 500 failed, so at most 0.6 % do (95 %)" in text


def test_what_is_missing_is_a_dash_or_left_away() -> None:
    assert "valid runs: ." in repeats_text({})


def test_a_closed_loop_is_named_and_has_no_ratio_against_an_open_one() -> None:
    runs = []
    for block in range(5):
        for kind, users in (("open", 0), ("closed", 7)):
            made = summary(variant=f"the {kind}", doubts=[], loop={"kind": kind, "users": users})
            runs.append(Repeat(block=block, path="", summary=made))
    text = repeats_text(repeats(runs, seed=1), width=200)
    assert "the open 5 of 5, the closed (closed loop, 7 users) 5 of 5" in text
    assert "No ratio for the closed: open and closed loop are not compared" in text
    assert "the closed / the open" not in text
