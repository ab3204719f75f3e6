"""Queues, losses and retries held to Ciw, which somebody else wrote, on the very same arrivals."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from simulator.model.stream_fates import FatesByArrays
from simulator.records import Outcome
from simulator.seeds import generator
from simulator.theory.erlang import erlang_b, with_retries
from simulator.units import NS_PER_S
from tests.support.modelled import modelled

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    Ints = np.ndarray[Any, np.dtype[np.int64]]

ciw: Any = pytest.importorskip("ciw")

MS = 1_000_000
QUEUE = """\
title: a queue at one backend
seed: 5
kernel: {port_range: 30000-60000, time_wait: 1ms}
backends: {ports: permanent, concurrency: 3, service_time: {exponential: 25ms}}
balancer: {driver: none, close: client}
clients: {source: {addresses: 1, ports: kernel}}
traffic:
  - {name: steady, for: 20s, arrivals: {poisson: 100/s}}
"""
RETRIES = """\
title: a loss system whose clients try again
seed: 6
kernel: {port_range: 50000-50019, time_wait: 500ms}
backends: {ports: permanent}
balancer: {driver: none, close: client}
clients:
  source: {addresses: 1, ports: kernel}
  retry: {attempts: 3, backoff: 1310ms, factor: 1}
traffic:
  - {name: steady, for: 100s, arrivals: {poisson: 36/s}}
"""


def arrivals(due_ns: Ints) -> Any:  # noqa: ANN401 - Ciw has no types
    """Arrivals of Ciw at such moments, and none after."""
    gaps = np.diff(due_ns, prepend=0) / NS_PER_S
    return ciw.dists.Sequential([*gaps.tolist(), float("inf")])


def played(nodes: Sequence[dict[str, Any]], end_ns: int, routing: object = None) -> Any:  # noqa: ANN401
    """A network of Ciw, simulated; each node gives its arrivals, service, servers and capacity."""
    network = ciw.create_network(
        arrival_distributions=[one.get("arrivals") for one in nodes],
        service_distributions=[one["service"] for one in nodes],
        number_of_servers=[one.get("servers", float("inf")) for one in nodes],
        queue_capacities=[one.get("capacity", float("inf")) for one in nodes],
        **({} if routing is None else {"routing": routing}),
    )
    world = ciw.Simulation(network)
    world.simulate_until_max_time(end_ns / NS_PER_S)
    return world


def lost(world: Any, count: int) -> np.ndarray[Any, np.dtype[np.bool_]]:  # noqa: ANN401
    """Which of so many were turned away, in order of arrival."""
    found = np.zeros(count, dtype=np.bool_)
    for one in world.get_all_records():
        found[one.id_number - 1] = one.record_type == "rejection"
    return found


@pytest.mark.parametrize("shape", ["constant", "exponential"])
def test_losses_of_a_group_of_tuples(shape: str) -> None:
    tuples, load, count = 12, 11.0, 8_000
    draw = generator(11, "test", "ciw", shape)
    due = np.cumsum(draw.exponential(NS_PER_S / load, count)).astype(np.int64)
    hold = np.full(count, NS_PER_S)
    if shape == "exponential":
        hold = (NS_PER_S // 4 + draw.exponential(0.75 * NS_PER_S, count)).astype(np.int64)
    ours = ~FatesByArrays(np.zeros(1, dtype=np.int64), tuples).take(due, hold, 0)
    # A time held belongs to the row that takes it, and Ciw draws it for those who are served.
    service = ciw.dists.Sequential((hold[~ours] / NS_PER_S).tolist())
    node = {"arrivals": arrivals(due), "service": service, "servers": tuples, "capacity": 0}
    theirs = lost(played([node], int(due[-1]) + 100 * NS_PER_S), count)
    assert np.array_equal(ours, theirs)
    # Losses come in clumps of about one time held, of which there are 700: five deviations.
    assert theirs.mean() == pytest.approx(erlang_b(tuples, load), rel=0.25)


def test_waits_at_a_backend_that_serves_three_at_a_time(tmp_path: Path) -> None:
    summary, run = modelled(QUEUE, tmp_path)
    due, service = run.plan["due_ns"], run.plan["service_ns"]
    node = {
        "arrivals": arrivals(due),
        "service": ciw.dists.Sequential((service / NS_PER_S).tolist()),
        "servers": 3,
    }
    world = played([node], int(due[-1]) + 100 * NS_PER_S)
    theirs = np.zeros(len(due))
    for one in world.get_all_records():
        theirs[one.id_number - 1] = one.exit_date
    ours = run.connections["answered_ns"] / NS_PER_S
    assert summary["attempts"]["ok"] == len(due)
    assert np.abs(ours - theirs).max() < 1e-6
    assert np.mean(ours - (due + service) / NS_PER_S > 1e-9) > 0.3, "many had to wait"


class Door(ciw.routing.NodeRouting):  # type: ignore[misc] # Ciw has no types
    """Lets in who finds a tuple, and sends others away for a pause, three tries in all."""

    tuples, attempts = 20, 3

    def next_node(self, ind: Any) -> Any:  # noqa: ANN401
        """Where to."""
        ind.tries = getattr(ind, "tries", 0) + 1
        if self.simulation.nodes[2].number_of_individuals < self.tuples:
            ind.went_in = True
            return self.simulation.nodes[2]
        return self.simulation.nodes[3 if ind.tries < self.attempts else -1]


def test_clients_that_try_again(tmp_path: Path) -> None:
    summary, run = modelled(RETRIES, tmp_path)
    first = run.plan["attempt"] == 0
    due = run.plan["due_ns"][first]
    nothing = ciw.dists.Deterministic(0.0)
    nodes = [
        {"arrivals": arrivals(due), "service": nothing},
        {"service": ciw.dists.Deterministic(0.5)},
        {"service": ciw.dists.Deterministic(1.31)},
    ]
    routing = ciw.routing.NetworkRouting(
        routers=[Door(), ciw.routing.Leave(), ciw.routing.Direct(to=1)]
    )
    world = played(nodes, int(due[-1]) + 100 * NS_PER_S, routing)
    everybody = world.nodes[-1].all_individuals
    tries = [one.tries for one in everybody]
    gave_up = sum(not getattr(one, "went_in", False) for one in everybody)
    assert len(everybody) == len(due)
    assert summary["retries"]["attempts"] == sum(tries)
    assert summary["retries"]["gave_up"] == gave_up
    assert summary["attempts"]["ok"] == len(due) - gave_up
    assert (
        np.count_nonzero(run.connections["outcome"] == Outcome.FAILED)
        == sum(tries) - len(due) + gave_up
    )
    # A pause of 2.6 times what is held is not yet one without memory: retries fare a bit worse.
    share, _ = with_retries(20, 18.0, 3)
    failed = sum(tries) - len(due) + gave_up
    assert failed / sum(tries) == pytest.approx(share, rel=0.3)
