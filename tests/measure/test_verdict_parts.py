"""The form of a verdict and its shared words."""

from __future__ import annotations

import pytest

from simulator.measure.verdict_parts import Verdict, percent, seconds
from tests.support.runs import MS


@pytest.mark.parametrize(
    ("share", "text"),
    [(0.0, "0.0 %"), (0.5, "50.0 %"), (0.00042, "0.042 %"), (0.001, "0.1 %"), (1.0, "100.0 %")],
)
def test_a_share_keeps_its_digits(share: float, text: str) -> None:
    assert percent(share) == text


def test_a_moment_is_told_only_where_there_is_one() -> None:
    assert seconds(1_940 * MS) == " after 1.9 s"
    assert seconds(None) == ""


def test_the_form_in_a_summary_is_plain() -> None:
    verdict = Verdict(code="ok", hop=None, sentence="Well.", remedies=("a",), evidence={"n": 1})
    assert verdict.as_dict() == {
        "code": "ok",
        "hop": None,
        "sentence": "Well.",
        "remedies": ["a"],
        "evidence": {"n": 1},
    }
