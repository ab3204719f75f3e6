"""The numbers of a NAT as a value."""

from __future__ import annotations

from dataclasses import replace

from simulator.ports.nat.presets import PRESETS
from simulator.ports.nat.rule import NAT_PORTS, S


def test_a_port_rests_by_how_its_flow_ended() -> None:
    rule = PRESETS["azure-nat-gateway"]
    assert rule.rest_ns(reset=False) == 65 * S
    assert rule.rest_ns(reset=True) == 16 * S


def test_a_rule_with_one_number_changed_is_another_value() -> None:
    rule = PRESETS["aws-nat-gateway"]
    assert replace(rule, addresses=8) != rule


def test_no_nat_gives_system_ports_away() -> None:
    assert NAT_PORTS.first == 1024
    assert len(NAT_PORTS) == 64_512
