"""A sample of the model says what the sampler would say: states, and the worst group by name."""

from __future__ import annotations

from simulator.model.directory import Directory
from simulator.model.sampling import HopSampler, hop_now
from simulator.model.tuples import ANY, EachOnce, Group, HopTuples
from simulator.ports.range import PortRange
from simulator.preflight.hops import hop_budgets
from tests.support.scenarios import small

MS = 1_000_000


def test_the_worst_group_is_named_by_its_addresses() -> None:
    [_, budget] = hop_budgets(small("kernel.port_range=50000-50009"))
    directory = Directory(PortRange(50_000, 50_009))
    for port in (20_000, 20_001):
        directory.number(("127.4.0.1", port))
    tuples = HopTuples()
    tuples.groups = [Group(0, at, EachOnce(range(50_000, 50_009)), 500 * MS) for at in range(2)]
    sampler = HopSampler(budget, tuples, ("127.3.0.1",), directory, "127.2.0.1:8080")
    empty = sampler.take(0)
    assert (empty["worst"], empty["in_use"], empty["groups"]) == (None, 0, 0)
    for at in (0, 1, 1):
        tuples.groups[at].take(0)
    tuples.groups[1].end(50_000, 0, waits=True)
    found = sampler.take(MS)
    assert (found["established"], found["time_wait"], found["in_use"]) == (2, 1, 3)
    assert found["worst"] == {
        "source": "127.3.0.1", "destination": "127.4.0.1:20001",
        "in_use": 2, "established": 1, "time_wait": 1, "other": 0,
    }  # fmt: skip
    shown = hop_now(budget.name, found)
    assert (shown.budget, shown.established, shown.time_wait) == (budget.budget, 1, 1)


def test_a_group_of_one_address_has_no_destination() -> None:
    asked = small("balancer.source.ports=permanent", "kernel.port_range=50000-50009")
    [_, budget] = hop_budgets(asked)
    tuples = HopTuples()
    tuples.groups = [Group(0, ANY, EachOnce(range(50_000, 50_009)), None)]
    port = tuples.groups[0].take(0)
    tuples.groups[0].end(port, 0, waits=True)
    sampler = HopSampler(budget, tuples, ("127.3.0.1",), Directory(PortRange(1, 2)), "front")
    worst = sampler.take(0)["worst"]
    assert (worst["destination"], worst["other"], worst["in_use"]) == (None, 1, 1)
