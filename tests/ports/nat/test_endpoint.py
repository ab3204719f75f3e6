"""One inner socket, one outer place."""

from __future__ import annotations

from dataclasses import replace

from simulator.ports.nat.flow import Flow, Shortage
from simulator.ports.nat.presets import PRESETS, make_nat
from simulator.ports.range import PortRange

RULE = replace(PRESETS["aws-nat-gateway"], mapping="endpoint", ports=PortRange(2000, 2001))


def test_a_socket_keeps_its_place_toward_all() -> None:
    nat = make_nat(RULE, 1, 1)
    places = {nat.take(Flow(0, destination, 5000), 0) for destination in range(10)}
    assert len(places) == 1
    [use] = nat.uses()
    assert use.open == 1


def test_destinations_do_not_multiply_the_budget() -> None:
    nat = make_nat(RULE, 1, 1)
    assert nat.take(Flow(0, 1, 5000), 0) is not None
    assert nat.take(Flow(0, 2, 5001), 0) is not None
    assert nat.take(Flow(0, 3, 5002), 0) is None
    assert nat.shortage is Shortage.PORTS
    assert nat.asks == 0


def test_the_place_rests_after_the_last_flow() -> None:
    nat = make_nat(RULE, 1, 1)
    flows = [Flow(0, 1, 5000), Flow(0, 2, 5000)]
    grant = nat.take(flows[0], 0)
    assert grant is not None
    assert nat.take(flows[1], 0) == grant
    nat.give_back(flows[0], grant, 0, reset=False)
    [use] = nat.uses()
    assert (use.open, use.resting) == (1, 0)
    nat.give_back(flows[1], grant, 5, reset=False)
    nat.settle(5)
    [use] = nat.uses()
    assert (use.open, use.resting) == (0, 1)
    nat.settle(5 + RULE.after_fin_ns)
    [use] = nat.uses()
    assert (use.open, use.resting) == (0, 0)
