"""Programs with a list of their own: no search, and a bound on the races that are lost."""

from __future__ import annotations

import pytest

from simulator.ports.range import PortRange
from simulator.ports.selection.lists import HAPROXY_TRIES, OWN_TRIES, PortRing, RandomList
from simulator.ports.selection.selector import NO_PORT, Asked, Pick

PORTS = PortRange(20_000, 20_019)
SERVER, OTHER = Asked("server"), Asked("other")


@pytest.mark.parametrize("kind", [RandomList, PortRing])
def test_the_whole_list_is_had_one_probe_each_and_again_toward_the_next(
    kind: type[RandomList | PortRing],
) -> None:
    made = kind(PORTS, 1)
    for asked in (SERVER, OTHER):
        found = [made.pick(asked, ()) for _ in range(20)]
        assert {pick.port for pick in found} == set(range(20_000, 20_020))
        assert {pick.probes for pick in found} == {1}
        assert made.pick(asked, ()) == Pick(NO_PORT, 0)
    made.give_back(SERVER, 20_007)
    assert made.pick(OTHER, ()).port == NO_PORT
    assert made.pick(SERVER, ()) == Pick(20_007, 1)


def test_a_ring_gives_the_port_that_was_free_for_longest() -> None:
    made = PortRing(PORTS, 1)
    assert [made.pick(SERVER, ()).port for _ in range(3)] == [20_000, 20_001, 20_002]
    made.give_back(SERVER, 20_001)
    made.give_back(SERVER, 20_000)
    rest = [made.pick(SERVER, ()).port for _ in range(19)]
    assert rest == [*range(20_003, 20_020), 20_001, 20_000]


@pytest.mark.parametrize(("kind", "tries"), [(PortRing, HAPROXY_TRIES), (RandomList, OWN_TRIES)])
def test_it_gives_up_after_so_many_ports_that_others_hold(
    kind: type[RandomList | PortRing], tries: int
) -> None:
    held = range(20_000, 20_020)
    made = kind(PORTS, 1)
    assert made.pick(SERVER, held) == Pick(NO_PORT, tries)
    # Nothing is lost by that: all twenty are still in the list.
    assert len({made.pick(SERVER, ()).port for _ in range(20)}) == 20


def test_a_ring_passes_over_what_others_hold() -> None:
    held = range(20_000, 20_009)
    assert PortRing(PORTS, 1).pick(SERVER, held) == Pick(20_009, 10)
    assert PortRing(PORTS, 1).pick(SERVER, range(20_000, 20_010)) == Pick(NO_PORT, 10)
