"""Thinning keeps extremes, ends and gaps, and keeps what is short as it is."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from simulator.report.charts.thin import thin

values = st.lists(st.one_of(st.none(), st.floats(-1e9, 1e9)), min_size=1, max_size=400)


@given(y=values, most=st.integers(4, 60))
def test_extremes_ends_and_gaps_stay(y: list[float | None], most: int) -> None:
    x = [float(at) for at in range(len(y))]
    kept_x, kept_y = thin(x, y, most)
    assert all(y[int(a)] == b for a, b in zip(kept_x, kept_y, strict=True))
    assert list(kept_x) == sorted(set(kept_x))
    assert (kept_x[0], kept_x[-1]) == (x[0], x[-1])
    assert len(kept_x) <= max(most, 3 * (most // 2) + 2)
    known = [one for one in y if one is not None]
    if known:
        kept = [one for one in kept_y if one is not None]
        assert (min(kept), max(kept)) == (min(known), max(known))
    assert (None in y) == (None in kept_y)


def test_a_million_points_take_no_time_to_speak_of() -> None:
    x, y = thin(range(1_000_000), [float(at % 1000) for at in range(1_000_000)])
    assert len(x) == len(y) < 2000
