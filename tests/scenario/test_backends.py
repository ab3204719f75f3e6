"""Backends: where they listen, and which of their keys do not go together."""

from __future__ import annotations

import pytest

from simulator.ports.range import DYNAMIC, USER, PortRange
from tests.support.scenarios import SMALL, complaints, small


@pytest.mark.parametrize(
    ("ports", "listen"), [("kernel", None), ("random", DYNAMIC), ("permanent", USER)]
)
def test_backends_listen_where_their_allocator_looks(ports: str, listen: PortRange | None) -> None:
    assert small(f"backends.ports={ports}").backends.listen_range == listen


FIXED = "backends={count: 2, ports: fixed, range: 50000-50009, "


@pytest.mark.parametrize(
    ("flag", "path", "words"),
    [
        ("backends.address=shared", "backends.address", "needs ports: fixed"),
        (FIXED + "address: shared, addresses: 2}", "backends.addresses", "is one address"),
        (FIXED + "quarantine: 1s}", "backends.quarantine", "no other port to take"),
        (
            "backends={count: 3, ports: fixed, range: 50000-50001, addresses: 2}",
            "backends.count",
            "more than the 2 ports",
        ),
    ],
)
def test_a_fixed_port_is_one_for_each_backend(flag: str, path: str, words: str) -> None:
    found = complaints(SMALL, flag)
    assert any(one.path == path and words in one.message for one in found), found


def test_backends_may_share_the_address_of_a_plain_connect() -> None:
    assert small(FIXED + "address: shared}").backends.address == "shared"
