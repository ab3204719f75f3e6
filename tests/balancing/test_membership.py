"""Membership: who may be picked is exactly who was inserted and not removed since."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.balancing.membership import Backend, Insert, Membership, Remove


def backend(number: int, port: int = 1_000) -> Backend:
    return Backend(backend_id=number, address="127.3.0.1", port=port)


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 12))))
def test_eligible_is_the_set_of_those_inserted_and_not_removed(
    events: list[tuple[bool, int]],
) -> None:
    membership = Membership()
    expected: set[int] = set()
    known: set[int] = set()
    for inserts, number in events:
        if inserts:
            membership.apply(Insert(backend=backend(number)))
            expected.add(number)
            known.add(number)
        else:
            membership.apply(Remove(backend_id=number))
            expected.discard(number)
        assert sorted(membership.eligible) == sorted(expected)
        for one in range(13):
            assert membership.is_draining(one) == (one in known - expected)


def test_inserting_again_moves_the_endpoint() -> None:
    membership = Membership()
    membership.apply(Insert(backend=backend(3, 1_000)))
    membership.apply(Insert(backend=backend(3, 2_000)))
    assert membership.eligible == [3]
    assert membership.backends[3].port == 2_000


@pytest.mark.parametrize(("number", "port"), [(-1, 80), (0, 0), (0, 65_536)])
def test_an_impossible_backend_cannot_be_made(number: int, port: int) -> None:
    with pytest.raises(ValueError, match="not a backend"):
        backend(number, port)
