"""The values of a look: what counts as in use."""

from __future__ import annotations

from math import inf

from simulator.ports.watched import Destination


def test_a_tuple_that_is_free_for_the_next_connection_is_not_in_use() -> None:
    each = Destination(
        source="10.0.0.1",
        destination="10.0.0.2",
        port=443,
        established=1,
        time_wait=20,
        other=300,
        recyclable=4_000,
        opened_per_s=0,
        closed_per_s=0,
        wall_s=inf,
    )
    assert each.in_use == 321
