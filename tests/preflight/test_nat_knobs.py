"""What a NAT may have more of: the knobs by kind, and plans that Little's law asks for."""

from __future__ import annotations

from math import ceil
from typing import TYPE_CHECKING

import pytest

from simulator.preflight.inverse import Proposal, parse_goal, proposals
from simulator.preflight.nat_knobs import nat_knobs
from simulator.preflight.predict import predict
from tests.support.scenarios import small

if TYPE_CHECKING:
    from simulator.preflight.forecast import Forecast

DIRECT = ("balancer.driver=none", "clients.source={addresses: 1, range: 1024-65535}")
#: 1,000 connections at 10/s, each of whose ports rests for more than the 100 s that it lasts.
CALLS = ("traffic.0.for=100s", "traffic.0.arrivals.constant=10/s", *DIRECT)


def proposed(nat: str) -> dict[str, Proposal]:
    def ask(sets: tuple[str, ...]) -> Forecast:
        return predict(small(*CALLS, f"nat={nat}", *sets), steps=100)

    goal = parse_goal("failed == 0")
    found = proposals(small(*CALLS, f"nat={nat}"), ask(()), goal, ask)
    assert all(goal.holds(ask(one.sets)) for one in found)
    return {one.changes[0].kind: one for one in found}


@pytest.mark.parametrize(
    ("nat", "sets"),
    [
        ("{preset: azure-load-balancer, hosts: 900, addresses: 16}", "nat.per_host=1000"),
        ("{preset: google-cloud-nat}", "nat.per_host=1024"),
        ("{preset: google-cloud-nat-dynamic, most_per_host: 64}", "nat.most_per_host=1024"),
        ("{preset: linux-masquerade, table: 400}", "nat.table=1000"),
    ],
)
def test_the_least_that_does(nat: str, sets: str) -> None:
    kind = "nat-table" if "table" in sets else "nat-ports"
    assert proposed(nat)[kind].sets == (sets,)


def test_addresses_and_destinations_as_many_as_tuples_ask_for() -> None:
    found = proposed("{preset: aws-nat-gateway, per_destination: 150, after_fin: 200s}")
    assert found["nat-addresses"].sets == (f"nat.addresses={ceil(1000 / 150)}",)
    assert found["destinations"].sets == (f"backends.count={ceil(1000 / 150)}",)


def test_no_more_addresses_than_the_vendor_gives() -> None:
    found = proposed("{preset: aws-nat-gateway, per_destination: 100, after_fin: 200s}")
    assert "nat-addresses" not in found  # ten would do, and eight is the most


def test_another_product_of_the_vendor_is_proposed_where_it_does() -> None:
    found = proposed("{preset: azure-load-balancer, hosts: 900}")
    assert found["nat-preset"].sets == (
        "nat={preset: azure-nat-gateway, addresses: 1, hosts: 900}",
    )


@pytest.mark.parametrize(
    ("nat", "kinds"),
    [
        ("{preset: aws-nlb}", ["nat-addresses"]),
        ("{preset: ananta}", ["nat-addresses"]),
        ("{preset: carrier}", ["nat-addresses", "nat-ports"]),
        ("{preset: google-cloud-nat, hosts: 1008}", ["nat-addresses"]),
        ("{preset: linux-masquerade, table: 9}", ["nat-table", "nat-addresses"]),
    ],
)
def test_what_each_may_have_more_of(nat: str, kinds: list[str]) -> None:
    assert [one.kind for one in nat_knobs(small(f"nat={nat}", *DIRECT))] == kinds


def test_one_address_is_one_address() -> None:
    [knob] = nat_knobs(small("nat.preset=aws-nlb", *DIRECT))
    assert knob.shown(1) == "1 address of the NAT"
    assert knob.shown(2) == "2 addresses of the NAT"


def test_there_are_none_without_a_nat() -> None:
    assert list(nat_knobs(small())) == []
