"""The words of NATs."""

from __future__ import annotations

from simulator.ports.nat.flow import ANY, Flow, Shortage


def test_no_destination_is_numbered_like_all_of_them() -> None:
    flow = Flow(0, 0, 1024)
    assert flow._replace(destination=ANY) != flow
    assert ANY < 0


def test_each_shortage_has_its_own_word() -> None:
    assert len({str(one) for one in Shortage}) == len(Shortage)
