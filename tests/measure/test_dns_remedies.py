"""Remedies of a resolver's failures: each error has its own, with the numbers of the scenario."""

from __future__ import annotations

import pytest

from simulator.measure.dns_remedies import dns_remedy
from tests.support.runs import scenario

ASKED = scenario(
    backends={"kind": "dns"},
    balancer={"driver": "resolver", "retries": 1, "resolver": {"timeout": "70ms"}},
)


@pytest.mark.parametrize(
    ("error", "words"),
    [
        ("TIMEOUT", "2 of them were asked in vain for 70ms each"),
        ("SERVFAIL", "could not answer"),
        ("NXDOMAIN", "ask for names that exist"),
        ("TRUNCATED", "fit into 1232 bytes"),
        ("NO_BACKEND", "bring back a server"),
        ("NO_PORT", "widen the pool"),
        ("PROTOCOL", "look at the answers"),
        ("EPERM", "look up EPERM"),
    ],
)
def test_each_error_has_its_remedy(error: str, words: str) -> None:
    assert words in dns_remedy(error, ASKED)


def test_one_server_asked_is_one() -> None:
    once = ASKED.model_copy(update={"balancer": ASKED.balancer.model_copy(update={"retries": 0})})
    assert "1 of them was asked" in dns_remedy("TIMEOUT", once)
