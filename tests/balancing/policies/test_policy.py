"""What every policy owes its caller, whichever it is."""

from __future__ import annotations

from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.balancing.membership import Backend, Insert, Membership, Remove
from simulator.balancing.policies.policy import NOBODY, draw_index
from simulator.balancing.policies.select import select_load, select_policy
from simulator.scenario.balancer import Policy as PolicyOfScenario
from simulator.seeds import pure_random

NAMES = get_args(PolicyOfScenario.model_fields["name"].annotation)


@pytest.mark.parametrize("name", NAMES)
@given(
    size=st.integers(0, 12),
    draining=st.sets(st.integers(0, 11)),
    exclude=st.sets(st.integers(0, 11), max_size=6),
    seed=st.integers(0, 1_000),
)
def test_neither_draining_nor_excluded_backends_are_ever_picked(
    name: str, size: int, draining: set[int], exclude: set[int], seed: int
) -> None:
    membership, load = Membership(), select_load(name)
    for number in range(size):
        backend = Backend(backend_id=number, address="127.3.0.1", port=80)
        membership.apply(Insert(backend=backend))
        load.insert(number)
    for number in draining:
        membership.apply(Remove(backend_id=number))
        load.remove(number)
    policy = select_policy(name, 3, pure_random(seed, name))
    wanted = set(range(size)) - draining - exclude
    for _ in range(8):
        picked = policy.pick(membership.eligible, load, exclude)
        if not wanted:
            assert picked == NOBODY
        else:
            assert picked in wanted
            load.opened(picked)


@given(st.integers(1, 100_000), st.integers(0, 1_000))
def test_an_index_is_within_the_list(count: int, seed: int) -> None:
    assert 0 <= draw_index(pure_random(seed), count) < count
