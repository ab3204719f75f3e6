"""Linux: a port that is kept, a search that gives up, and one table for all destinations."""

from __future__ import annotations

from dataclasses import replace

from simulator.ports.nat.flow import Flow, Grant, Shortage
from simulator.ports.nat.masquerade import Masquerade
from simulator.ports.nat.presets import PRESETS
from simulator.ports.nat.rule import S
from simulator.ports.range import PortRange
from simulator.theory.probes import tries_fail

LINUX = PRESETS["linux-masquerade"]


def test_a_port_is_kept_where_it_is_free() -> None:
    nat = Masquerade(LINUX, 1)
    assert nat.take(Flow(0, 1, 5000), 0) == Grant(0, 5000)
    second = nat.take(Flow(1, 1, 5000), 0)
    assert second is not None
    assert second.port != 5000
    assert nat.take(Flow(1, 2, 5000), 0) == Grant(0, 5000)  # free toward another destination


def test_random_fully_keeps_no_port() -> None:
    nat = Masquerade(replace(LINUX, keep_port=False), 1)
    kept = [nat.take(Flow(0, 1, 5000 + at), 0) == Grant(0, 5000 + at) for at in range(50)]
    assert not any(kept)


def test_the_table_is_one_for_all_destinations_and_for_ended_flows() -> None:
    nat = Masquerade(replace(LINUX, table=3), 1)
    flows = [Flow(0, destination, 5000) for destination in range(3)]
    for flow in flows:
        grant = nat.take(flow, 0)
        assert grant is not None
        nat.give_back(flow, grant, 0, reset=flow is flows[0])
    late = Flow(0, 9, 5000)
    assert nat.take(late, 10 * S - 1) is None
    assert nat.shortage is Shortage.TABLE
    assert nat.take(late, 10 * S) is not None  # CLOSE lasts 10 s, TIME_WAIT 120 s
    assert nat.rows == 3


def test_whoever_comes_again_gets_his_row_back() -> None:
    nat = Masquerade(replace(LINUX, table=1), 1)
    flow = Flow(0, 1, 5000)
    grant = nat.take(flow, 0)
    assert grant is not None
    nat.give_back(flow, grant, 0, reset=False)
    assert nat.take(flow, 60 * S) == grant
    assert nat.rows == 1
    nat.settle(500 * S)  # the row's first end is not its end
    assert nat.rows == 1
    nat.give_back(flow, grant, 500 * S, reset=False)
    nat.settle(620 * S)
    assert nat.rows == 0


def test_the_search_gives_up_before_the_last_port() -> None:
    """Neighbours are tried together, so that it fails no less often than free draws would."""
    ports = PortRange(1024, 3023)
    nat = Masquerade(replace(LINUX, ports=ports, keep_port=False, table=None), 1)
    refused = taken = 0
    while taken < len(ports) - 1:
        if nat.take(Flow(0, 1, 1 + taken), 0) is None:
            refused += 1
        else:
            taken += 1
    fails = [tries_fail(at / len(ports)) for at in range(len(ports) - 1)]
    expected = sum(one / (1 - one) for one in fails)
    assert refused > expected / 2
    assert nat.shortage is Shortage.PORTS
