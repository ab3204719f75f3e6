"""Remedies for answers that are failures: each names the key that made them, if one did."""

from __future__ import annotations

import pytest

from simulator.measure.http_remedies import http_remedy
from tests.support.scenarios import small


@pytest.mark.parametrize(
    ("error", "flags", "words"),
    [
        ("HTTP_PROTOCOL", [], "was no HTTP/1.1"),
        ("HTTP_503", ["backends.concurrency=4", "backends.queue=9"], "backends.queue: 9"),
        ("HTTP_503", ["backends.concurrency=4"], "answered with status 503"),
        ("HTTP_500", ["backends.faults.error_rate=0.05"], "makes 5 % of answers a 500"),
        ("HTTP_500", [], "answered with status 500"),
        ("HTTP_404", ["backends.faults.error_rate=0.05"], "answered with status 404"),
    ],
)
def test_the_remedy_names_what_makes_the_error(error: str, flags: list[str], words: str) -> None:
    assert words in http_remedy(error, small("backends.kind=http", *flags).backends)
