"""Each way to take source ports, told as what is done before connect()."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from simulator.live.port_modes import Mode, new_dialer
from simulator.live.recipe import Recipe
from simulator.live.self_connect import WaryDialer
from simulator.ports.range import PortRange
from simulator.seeds import pure_random

if TYPE_CHECKING:
    from simulator.live.dialer import Dialer

ONE = ("127.0.0.2",)


@pytest.mark.parametrize(
    ("mode", "addresses", "expected"),
    [
        ("kernel", (), Recipe()),
        ("kernel", ONE, Recipe(binds=ONE, is_late=True)),
        ("late-bind", ONE, Recipe(binds=ONE, is_late=True)),
        ("early-bind", ONE, Recipe(binds=ONE)),
        ("early-bind", (), Recipe(binds=("0.0.0.0",))),
        # ip(7): the low port in the low half of the option, the high one in the high half.
        ("socket-range", (), Recipe(range_option=40_009 << 16 | 40_000)),
        ("userspace", ONE, Recipe(binds=ONE, has_ports=True)),
        ("permanent", ONE, None),
    ],
)
def test_what_each_mode_does_before_connect(
    mode: Mode, addresses: tuple[str, ...], expected: Recipe | None
) -> None:
    generator = pure_random(1, "recipe")
    dialer = new_dialer(mode, addresses, PortRange(40_000, 40_009), generator=generator)
    assert dialer.recipe() == expected


def test_who_looks_where_a_connect_led_dials_for_itself() -> None:
    dialer: Dialer = WaryDialer("kernel", ())
    assert dialer.recipe() is None
