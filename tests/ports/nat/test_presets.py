"""Rules of every preset: no tuple twice, no port before its rest is over, all free in the end."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.ports.nat.flow import ANY, Flow, Grant
from simulator.ports.nat.presets import PRESETS, PresetName, make_nat
from simulator.ports.range import PortRange

if TYPE_CHECKING:
    from simulator.ports.nat.rule import NatRule

HOSTS = 3
#: (what, whose, how long after): take toward one of three destinations, end by FIN or RST, wait.
STEPS = st.lists(
    st.tuples(
        st.sampled_from(["take", "take", "fin", "rst"]), st.integers(0, 8), st.integers(0, 40)
    ),
    max_size=120,
)


def small(rule: NatRule) -> NatRule:
    """The same rule with few ports and short rests."""
    given_ports = {"google-cloud-nat": 8, "google-cloud-nat-dynamic": 4}
    return replace(
        rule,
        ports=PortRange(1024, 1055) if rule.preset != "azure-load-balancer" else rule.ports,
        per_destination=rule.per_destination and 20,
        per_host=given_ports.get(rule.preset),
        most_per_host=rule.most_per_host and 16,
        block=4,
        after_fin_ns=30,
        after_reset_ns=10,
        keeps_block_ns=20,
        table=rule.table and 40,
        cores=min(rule.cores, 2),
    )


def test_every_name_has_its_rule() -> None:
    assert tuple(PRESETS) == get_args(PresetName)


@pytest.mark.parametrize("name", PRESETS)
@given(steps=STEPS)
def test_no_tuple_twice_and_no_port_before_its_rest_is_over(
    name: str, steps: list[tuple[str, int, int]]
) -> None:
    rule = small(PRESETS[name])
    nat = make_nat(rule, HOSTS, 1)
    by_socket = rule.mapping == "endpoint"
    live: dict[Flow, Grant] = {}
    until: dict[tuple[Grant, int], tuple[int, Flow]] = {}
    now = 0
    for serial, (what, whose, later) in enumerate(steps):
        now += later
        if what == "take":
            flow = Flow(whose % HOSTS, whose // HOSTS, 1024 + serial % 50)
            if flow in live:
                continue
            grant = nat.take(flow, now)
            if grant is None:
                continue
            key = (grant, ANY if by_socket else flow.destination)
            others = {
                (one, ANY if by_socket else other.destination)
                for other, one in live.items()
                if not by_socket or other[::2] != flow[::2]
            }
            assert key not in others
            rests_until, whose_rest = until.get(key, (0, flow))
            comes_back = name == "linux-masquerade" and whose_rest == flow
            assert rests_until <= now or comes_back or by_socket
            assert grant.port in rule.ports
            assert grant.address < rule.addresses
            live[flow] = grant
        elif live:
            flow = list(live)[whose % len(live)]
            grant = live.pop(flow)
            reset = what == "rst"
            nat.give_back(flow, grant, now, reset=reset)
            key = (grant, ANY if by_socket else flow.destination)
            until[key] = (now + rule.rest_ns(reset=reset), flow)
    for flow, grant in live.items():
        nat.give_back(flow, grant, now, reset=False)
    nat.settle(now + 30)
    assert all(use.open == use.resting == 0 for use in nat.uses())


@pytest.mark.parametrize("name", PRESETS)
def test_the_same_seed_gives_the_same_places(name: str) -> None:
    first, again = (make_nat(PRESETS[name], HOSTS, 7) for _ in range(2))
    flows = [Flow(at % HOSTS, at % 2, 2000 + at) for at in range(60)]
    assert [first.take(flow, 0) for flow in flows] == [again.take(flow, 0) for flow in flows]


@pytest.mark.parametrize(
    ("name", "numbers"),
    [
        ("aws-nat-gateway", (55_000, 60, 60, 350)),
        ("aws-nlb", (55_000, 60, 60, 350)),
        ("azure-load-balancer", (None, 240, 240, 240)),
        ("azure-nat-gateway", (50_000, 65, 16, 240)),
        ("google-cloud-nat", (None, 120, 120, 1_200)),
        ("linux-masquerade", (None, 120, 10, 432_000)),
    ],
)
def test_the_documented_numbers(name: str, numbers: tuple[int | None, int, int, int]) -> None:
    rule = PRESETS[name]
    seconds = tuple(
        value // 1_000_000_000 for value in (rule.after_fin_ns, rule.after_reset_ns, rule.idle_ns)
    )
    assert (rule.per_destination, *seconds) == numbers
