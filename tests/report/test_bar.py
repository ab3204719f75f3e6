"""The occupancy bar never lies about the ends: nothing used, one used, one left, none left."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.report.bar import cells, occupancy_bar

COUNTS = st.lists(st.integers(0, 1 << 20), min_size=4, max_size=4)


@given(COUNTS, st.integers(4, 200))
def test_cells_fill_the_width_and_show_every_state_that_is_there(
    counts: list[int], width: int
) -> None:
    shares = cells(counts, width)
    assert sum(shares) == (width if sum(counts) else 0)
    assert [share > 0 for share in shares] == [count > 0 for count in counts]


@given(st.lists(st.integers(1, 1 << 20), min_size=2, max_size=4), st.integers(40, 200))
def test_cells_are_in_proportion(counts: list[int], width: int) -> None:
    total = sum(counts)
    for share, count in zip(cells(counts, width), counts, strict=True):
        # One cell of rounding, and what the least cells of the others may take.
        assert abs(share - count * width / total) <= len(counts)


@pytest.mark.parametrize(
    ("established", "time_wait", "shown"),
    [
        (0, 0, "." * 20),
        (1, 0, "E" + "." * 19),
        (500, 500, "E" * 5 + "T" * 5 + "." * 10),
        (1, 1998, "E" + "T" * 18 + "."),
        (38, 1962, "E" + "T" * 19),
        (3000, 0, "E" * 20),
    ],
)
def test_bar_of_a_budget_of_2000(established: int, time_wait: int, shown: str) -> None:
    bar = occupancy_bar(
        budget=2000, established=established, time_wait=time_wait, other=0, width=20
    )
    assert bar.plain == shown
