"""The top of a page answers: what ran out, when, how far is it usually, what to change."""

from __future__ import annotations

from typing import TYPE_CHECKING

from simulator.report.page.verdict import glance, remedies, telling_hop, trust, verdict_box
from tests.support.pages import HOSTILE, story
from tests.support.summaries import SUMMARY

if TYPE_CHECKING:
    from pathlib import Path


def test_a_run_into_the_wall_is_told_in_four_numbers(tmp_path: Path) -> None:
    told = story(tmp_path)
    assert dict(glance(told.summary, told.series)) == {
        "What ran out": "source ports, balancer-backend",
        "When": "after 1.9 s",
        "Of 100 tuples in use": "50 % usual, 100 % at most",
        "Connections failed": "6.7 % of 300",
    }


def test_a_quiet_run_tells_of_the_hop_nearest_to_its_wall() -> None:
    hops = [
        {"name": "a", "budget": 1000, "in_use_peak": 10},
        {"name": "b", "budget": 100, "in_use_peak": 5},
    ]
    summary = {"verdict": {"code": "ok"}, "hops": hops, "attempts": {"sent": 10, "failed": 0}}
    assert telling_hop(summary)["name"] == "b"
    assert dict(glance(summary, None)) == {
        "What ran out": "nothing",
        "When": "never",
        "Of 100 tuples in use": "5 % at most",
        "Connections failed": "0 % of 10",
    }


def test_nearly_all_is_not_all() -> None:
    hop = {"name": "a", "budget": 1000, "in_use_peak": 999}
    told = dict(glance({"hops": [hop], "attempts": {}}, None))
    assert told["Of 1,000 tuples in use"] == "99.9 % at most"


def test_nothing_known_is_no_error() -> None:
    assert "No verdict" in verdict_box({})
    assert remedies({}).body == ""
    assert "VALID ?" in trust({}).body


def test_remedies_doubts_and_thresholds_are_there() -> None:
    assert "Use 2 source addresses" in remedies(SUMMARY).body
    held = {"thresholds": [{"text": "a > 1", "value": 2, "holds": True}], "valid": True}
    assert 'class="holds"' in remedies(held).body
    assert 'class="unsure"' in remedies({**held, "valid": False}).body
    broken = {"thresholds": [{"text": "a > 1", "value": 0, "holds": False}]}
    assert 'class="breaks"' in remedies(broken).body
    body = trust(SUMMARY).body
    told = trust({"cpu": {"client_share": 0.214, "sampler_share": 0.019}}).body
    assert "generator 21 % · sampler 2 %" in told
    for part in ("MEASURED", "VALID", "LIMITS", "start-up-transient", "not sent: stopped"):
        assert part in body


def test_words_of_a_summary_stay_words() -> None:
    verdict = {"code": "x", "sentence": HOSTILE, "remedies": [HOSTILE]}
    summary = {**SUMMARY, "verdict": verdict, "notes": [HOSTILE], "valid": False}
    made = verdict_box(summary, lead=HOSTILE) + remedies(summary).body + trust(summary).body
    assert "<img" not in made
    assert "<script" not in made
