"""The summary on screen: the verdict first, every number with its unit, nothing invented."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.report.summary_text import summary_text
from tests.support.summaries import SUMMARY, bucket, summary


def cells(text: str, start: str) -> list[str]:
    """The cells of the first line that starts with a word."""
    line = next(line for line in text.splitlines() if line.strip().startswith(start))
    return re.split(r"\s{2,}", line.strip())


def test_the_first_line_is_the_whole_verdict_even_when_narrow() -> None:
    text = summary_text(summary(), width=40)
    assert text.splitlines()[0] == SUMMARY["verdict"]["sentence"]


def test_the_last_line_is_where_the_results_are_uncut() -> None:
    path = "results/port-wall/" + "x" * 200
    assert summary_text(summary(), path=path, width=60).splitlines()[-1] == f"Results: {path}"


def test_each_part_holds_its_numbers() -> None:
    text = summary_text(summary(), width=120)
    assert cells(text, "1.") == ["1.", SUMMARY["verdict"]["remedies"][0]]
    assert "✓ connect.p99 < 5ms   measured 4.1ms" in text
    assert "✗ failed == 0   measured 4,120" in text
    assert cells(text, "asked") == ["asked", "4,000/s", "10,000"]
    assert cells(text, "sent") == ["sent", "4,000/s", "9,999", "not sent: 1 stopped"]
    assert cells(text, "ok ") == ["ok", "2,351/s", "5,877"]
    assert cells(text, "failed ") == ["failed", "4,120"]
    assert cells(text, "connect ") == ["connect", "5,877", "412us", "890us", "4.1ms", "–", "61ms"]
    hop = ["balancer-backend", "2,000", "2,000", "38", "1,962", "2,000", "1.9s"]
    assert cells(text, "balancer-backend") == hop
    assert cells(text, "4,100") == ["4,100", "balancer-backend/connect/EADDRNOTAVAIL"]
    assert cells(text, "balancer ") == ["balancer", "104us CPU, 1.17KiB memory"]
    assert cells(text, "95-100%") == ["95-100%", "900", "162us", "410us", "1.5ms", "880"]
    assert "start-up-transient: the run is shorter" in text
    assert "→ run for 2 s or longer" in text


def test_the_trust_box_says_what_was_measured_and_how_far_it_reaches() -> None:
    text = summary_text(summary(), width=120)
    measured = "open loop · ramp 10s at 4,000/s · after 2s of warm-up · kernel engine · seed 7"
    assert cells(text, "MEASURED") == ["MEASURED", measured]
    valid = (
        "sent 99.99% of the plan · late p99 4.1ms · generator 41% of a core · "
        "balancer 62% of a core"
    )
    assert cells(text, "VALID") == ["VALID", valid]
    assert "percentiles to p99 (5,877 samples) · loopback · TIME_WAIT 500ms (tw_reuse 1)" in text
    assert "ports 49152-51151" in text
    assert "Everything ran over loopback" in text


def test_a_measurement_that_is_not_valid_says_so_and_passes_no_threshold() -> None:
    doubt = {"code": "generator", "message": "generator limited: sent 83.1 %", "invalid": True}
    text = summary_text(summary(valid=False, doubts=[doubt]), width=120)
    assert cells(text, "NOT VALID") == ["NOT VALID", "generator limited: sent 83.1 %"]
    assert "✓" not in text
    assert "? connect.p99 < 5ms" in text
    assert "✗ failed == 0" in text


def test_a_single_bucket_is_no_table_of_cost_against_occupancy() -> None:
    hop = "client-balancer"
    text = summary_text(summary(connect_cost={hop: SUMMARY["connect_cost"][hop]}))
    assert "Time inside connect()" not in text


def test_cost_against_occupancy_is_shown_for_the_hop_of_the_verdict_or_else_the_fullest() -> None:
    both = {
        hop: {"hop": hop, "buckets": [bucket(0, 5), bucket(last, 5)]}
        for hop, last in (("client-balancer", 3), ("balancer-backend", 2))
    }
    assert "in use, balancer-backend" in summary_text(summary(connect_cost=both))
    ok = {"code": "ok", "hop": None, "sentence": "Nothing ran out."}
    assert "in use, client-balancer" in summary_text(summary(connect_cost=both, verdict=ok))
    probes = {name: {**table, "unit": "probes"} for name, table in both.items()}
    assert "Ports that connect() looks at" in summary_text(summary(connect_cost=probes))


def test_without_colour_there_is_no_escape_and_with_it_the_words_are_the_same() -> None:
    plain = summary_text(summary(), color=False)
    coloured = summary_text(summary(), color=True)
    assert "\x1b" not in plain
    assert "\x1b[1;31m" in coloured
    bare = re.sub(r"\x1b\[[0-9;]*m", "", coloured)
    assert bare.split() == plain.split()


@pytest.mark.parametrize("field", sorted(SUMMARY))
def test_any_field_may_be_missing_or_null(field: str) -> None:
    less = {key: value for key, value in summary().items() if key != field}
    for one in (less, {**less, field: None}):
        assert len(summary_text(one).splitlines()) > 5


def test_nothing_known_is_shown_as_dashes_and_not_as_zeros() -> None:
    text = summary_text({})
    assert text.splitlines()[0] == "No verdict: the run has no summary."
    assert cells(text, "asked") == ["asked", "–", "–"]
    assert "0" not in text


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(1 << 62), 1 << 62)
    | st.floats()
    | st.text(max_size=9),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3)
    ),
    max_leaves=8,
)


@settings(max_examples=200, deadline=None)
@given(st.fixed_dictionaries({}, optional=dict.fromkeys(SUMMARY, JSON)))
def test_a_damaged_summary_is_still_shown(damaged: dict[str, Any]) -> None:
    text = summary_text(damaged)
    assert text.endswith("\n")
    assert "\x1b" not in text


def test_hostile_text_is_shown_and_not_obeyed() -> None:
    hostile = "\x1b]0;owned\x07[red]x[/red]\u202e\n"
    text = summary_text(
        summary(
            verdict={"code": "failures", "sentence": hostile, "remedies": [hostile]},
            thresholds=[{"text": hostile, "value": hostile, "holds": False}],
            doubts=[{"code": hostile, "message": hostile, "remedy": hostile}],
            hops=[{"name": hostile}],
            variant=hostile,
        ),
        path="results/\x1b[2J",
        color=False,
    )
    assert "\x1b" not in text
    assert "\x07" not in text
    assert "\u202e" not in text
    assert "[red]x[/red]" in text.splitlines()[0]
