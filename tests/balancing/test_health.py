"""Health: streaks, growing ejections, panic, and a rotation that always follows from them."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from simulator.balancing.health import Change, Health, HealthSettings


def health(count: int = 4, **settings: float) -> Health:
    made = Health(HealthSettings(**settings))  # type: ignore[arg-type]
    for backend in range(count):
        made.insert(backend)
    return made


def test_checks_take_out_after_fall_and_bring_back_after_rise() -> None:
    made = health(fall=3, rise=2)
    seen = [made.checked(1, is_good) for is_good in (False, False, True, False, False, False)]
    assert seen == [Change()] * 5 + [Change(take_out=(1,))], "in a row, not in all"
    assert made.is_out(1)
    assert made.checked(1, True) == Change()
    assert made.checked(1, True) == Change(put_in=(1,))
    assert not made.is_out(1)


def test_each_ejection_is_longer_than_the_one_before() -> None:
    made = health(failures=2, eject_ns=100)
    now = 0
    for times in (1, 2, 3):
        made.failed(0, now)
        assert made.failed(0, now) == Change(take_out=(0,))
        assert made.next_ns() == now + 100 * times
        assert made.advance(now + 100 * times - 1) == Change()
        now += 100 * times
        assert made.advance(now) == Change(put_in=(0,))
    assert made.ejections == 3
    assert made.next_ns() is None


def test_a_connection_made_ends_the_row_of_failures() -> None:
    made = health(failures=2)
    for _ in range(10):
        assert made.failed(0, 0) == Change()
        made.connected(0)


def test_when_too_few_are_fit_all_are_in_and_out_again_when_enough_are() -> None:
    made = health(count=4, fall=1, rise=1, panic=0.5)
    assert made.checked(0, False).take_out == (0,)
    assert made.checked(1, False).take_out == (1,)
    assert made.checked(2, False) == Change(put_in=(0, 1)), "one of four is below half"
    assert made.is_panicking
    assert made.checked(2, True) == Change(take_out=(0, 1))
    assert (made.is_panicking, made.panics) == (False, 1)


def test_without_a_threshold_the_last_one_goes_too() -> None:
    made = health(count=1, fall=1, panic=0.0)
    assert made.checked(0, False) == Change(take_out=(0,))


@given(
    st.lists(
        st.tuples(st.integers(0, 4), st.sampled_from(["in", "off", "ok", "bad", "fail", "later"])),
        max_size=80,
    )
)
def test_changes_add_up_to_the_rotation(steps: list[tuple[int, str]]) -> None:
    made = Health(HealthSettings(fall=1, rise=1, failures=2, eject_ns=3, panic=0.4))
    members: set[int] = set()
    rotation: set[int] = set()
    for now, (backend, what) in enumerate(steps):
        change = Change()
        if what == "in":
            change = made.insert(backend)
            members.add(backend)
            rotation.add(backend)
        elif what == "off":
            change = made.remove(backend)
            members.discard(backend)
            rotation.discard(backend)
        elif what == "later":
            change = made.advance(now)
        elif what == "fail":
            change = made.failed(backend, now)
        else:
            change = made.checked(backend, what == "ok")
        rotation = (rotation | set(change.put_in)) - set(change.take_out)
        assert rotation == {one for one in members if not made.is_out(one)}
        assert len(rotation) >= 0.4 * len(members)
