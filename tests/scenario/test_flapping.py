"""Flapping in a scenario file: what is understood, and what is refused."""

from __future__ import annotations

import pytest

from tests.support.scenarios import SMALL, complaints, small

ELSEWHERE = "backends={count: 3, ports: random, range: 20000-29999, "


def test_nobody_flaps_unless_asked_for() -> None:
    assert small().backends.flapping is None


def test_times_and_their_defaults() -> None:
    flapping = small(ELSEWHERE + "flapping: {count: 2, up: 1s}}").backends.flapping
    assert flapping is not None
    assert (flapping.count, flapping.up, flapping.down) == (2, 10**9, 200_000_000)


@pytest.mark.parametrize(
    ("flag", "path", "words"),
    [
        (ELSEWHERE + "flapping: {up: 1ms}}", "backends.flapping.up", "at least 10ms"),
        (ELSEWHERE + "flapping: {count: 4}}", "backends.flapping", "more than the 3 backends"),
        (ELSEWHERE + "refusing: 3, flapping: {}}", "backends.flapping", "more than the 3"),
        (ELSEWHERE + "churn: {rate: 1/s}, flapping: {}}", "backends.flapping", "beside churn"),
        ("backends={flapping: {}}", "backends.flapping", "needs a port that it can keep"),
    ],
)
def test_what_cannot_be_is_refused_where_it_stands(flag: str, path: str, words: str) -> None:
    found = complaints(SMALL, flag)
    assert any(one.path == path and words in one.message for one in found), found
