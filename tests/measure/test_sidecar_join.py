"""Causes behind a sidecar: each refusal of the balancer reaches its client, and no other."""

from __future__ import annotations

import errno
from ipaddress import IPv4Address
from typing import TYPE_CHECKING, Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from simulator.measure.attribution import find_causes
from simulator.measure.hops import all_hops
from simulator.measure.sidecar_join import refusals_behind_sidecar
from simulator.records import CUT_COLUMNS, REFUSAL_COLUMNS, Call, Hop
from tests.support.runs import CLIENT_ADDRESSES, MS, RunBuilder, S, scenario

if TYPE_CHECKING:
    from pathlib import Path

NEAR = int(IPv4Address("127.6.0.1"))
CLIENT = int(IPv4Address(CLIENT_ADDRESSES[0]))
BALANCER_NO_PORT = "balancer-backend/connect/EADDRNOTAVAIL"
SIDECAR_NO_PORT = "sidecar-balancer/connect/EADDRNOTAVAIL"
RESET = "client-sidecar/recv/ECONNRESET"


def table(columns: dict[str, str], rows: list[dict[str, int]]) -> dict[str, np.ndarray[Any, Any]]:
    return {name: np.array([row[name] for row in rows], dtype="<i8") for name in columns}


def refusal(t_ns: int, port: int, address: int = NEAR, **changes: int) -> dict[str, int]:
    return {
        "t_ns": t_ns,
        "accepted_ns": t_ns - MS // 4,
        "peer_address": address,
        "peer_port": port,
        "call": Call.CONNECT,
        "error": errno.EADDRNOTAVAIL,
        "hop": Hop.BALANCER_BACKEND,
        "backend": 0,
    } | changes


def cut(t_ns: int, client_port: int, near_port: int, accepted_ns: int) -> dict[str, int]:
    return {
        "t_ns": t_ns,
        "accepted_ns": accepted_ns,
        "peer_address": CLIENT,
        "peer_port": client_port,
        "near_address": NEAR,
        "near_port": near_port,
    }


def meshed() -> RunBuilder:
    return RunBuilder(scenario=scenario(sidecar={}))


def test_each_failure_is_counted_on_the_hop_where_it_began(tmp_path: Path) -> None:
    run = meshed().planned([0, 2 * MS, 4 * MS, 6 * MS]).started()
    for row in range(4):
        run.failed(row, Call.RECV, errno.ECONNRESET, port=5000 + row)
    # Row 0: the sidecar found no port. Row 1: the balancer found none. Row 2: a backend reset the
    # connection, which both relays passed on. Row 3: nobody says anything.
    at = 2 * MS + MS // 2
    run.sidecar_refusals.append(
        refusal(MS // 2, 5000, CLIENT, hop=Hop.SIDECAR_BALANCER, backend=-1)
    )
    run.refusals.append(refusal(at, 50_001))
    run.sidecar_cuts.append(cut(at + 1000, 5001, 50_001, at - MS // 3))
    run.sidecar_cuts.append(cut(4 * MS + MS // 2, 5002, 50_002, 4 * MS + MS // 5))
    causes = find_causes(run.run(tmp_path))
    assert causes.count_by_key() == {RESET: 2, BALANCER_NO_PORT: 1, SIDECAR_NO_PORT: 1}
    assert causes.joined.tolist() == [True, True, False, False]
    assert causes.backend.tolist() == [-1, 0, -1, -1]


def test_the_same_port_a_second_time_does_not_meet_an_old_refusal(tmp_path: Path) -> None:
    run = meshed().planned([0, S]).started()
    for row in range(2):
        run.failed(row, Call.RECV, errno.ECONNRESET, port=5000 + row)
        begun = row * S
        run.sidecar_cuts.append(cut(begun + MS, 5000 + row, 50_000, begun + MS // 4))
    run.refusals.append(refusal(MS // 2, 50_000))
    assert find_causes(run.run(tmp_path)).count_by_key() == {RESET: 1, BALANCER_NO_PORT: 1}


def test_a_run_has_its_three_hops_in_the_order_of_a_connection(tmp_path: Path) -> None:
    run = meshed().planned([0]).started().ok(0)
    run.sidecar_dials.append(
        {"t_ns": MS, "call_ns": 1, "backend": 0, "source": 0, "port": 0, "call": Call.CONNECT}
        | {"error": errno.EADDRNOTAVAIL}
    )
    read = run.run(tmp_path)
    hops = all_hops(read, find_causes(read))
    assert [facts.hop for facts in hops] == [
        Hop.CLIENT_SIDECAR,
        Hop.SIDECAR_BALANCER,
        Hop.BALANCER_BACKEND,
    ]
    assert [facts.exhausted_at_ns for facts in hops] == [None, MS, None]
    assert [facts.destinations for facts in hops] == [1, 1, 1]


@given(
    ports=st.lists(st.integers(50_000, 50_003), min_size=1, max_size=30),
    refused=st.lists(st.booleans(), min_size=30, max_size=30),
    lag_ns=st.integers(0, MS // 2),
)
def test_connections_in_turn_on_few_ports_are_told_apart(
    ports: list[int], refused: list[bool], lag_ns: int
) -> None:
    """Each connection is 1 s after the one before, on whatever port; some the balancer refused."""
    refusals, cuts = [], []
    for turn, port in enumerate(ports):
        begun = turn * S
        if refused[turn]:
            refusals.append(refusal(begun + MS, port))
        cuts.append(cut(begun + MS + lag_ns, turn, port, begun))
    found = refusals_behind_sidecar(
        table(REFUSAL_COLUMNS, refusals),
        table(REFUSAL_COLUMNS, []),
        table(CUT_COLUMNS, cuts),
        50 * MS,
    )
    wanted = [turn for turn in range(len(ports)) if refused[turn]]
    assert sorted(found["peer_port"].tolist()) == wanted
    assert set(found["peer_address"].tolist()) <= {CLIENT}
