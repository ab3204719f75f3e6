"""Faults and streams in a scenario file: what is understood, and what is refused."""

from __future__ import annotations

import pytest

from tests.support.scenarios import SMALL, complaints, small


def test_nothing_goes_wrong_unless_asked_for() -> None:
    backends = small().backends
    assert (backends.faults.error_rate, backends.faults.slow, backends.faults.hanging) == (0, 0, 0)
    assert backends.concurrency is None
    assert backends.stream is None


@pytest.mark.parametrize(
    ("flag", "path", "words"),
    [
        ("backends.faults.error_rate=2", "backends.faults.error_rate", "must be at most 1"),
        ("backends.faults.slow=2", "backends.faults", "more than the 1 backends"),
        ("backends={refusing: 1, faults: {hanging: 1}}", "backends.faults", "more than the 1"),
        ("backends.stream.every=0s", "backends.stream.every", "must be more than 0s"),
        ("backends.concurrency=0", "backends.concurrency", "must be at least 1"),
    ],
)
def test_what_cannot_be_is_refused_where_it_stands(flag: str, path: str, words: str) -> None:
    found = complaints(SMALL, flag)
    assert any(one.path == path and words in one.message for one in found), found
