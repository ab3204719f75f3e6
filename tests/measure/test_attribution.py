"""Root causes: the balancer's word is joined to the right client, and to no other."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from simulator.measure.attribution import STAMP_SLACK_NS, client_addresses, find_causes
from simulator.records import Call, Ending, Hop
from tests.support.runs import MS, RunBuilder, S, scenario

if TYPE_CHECKING:
    from pathlib import Path

RESET = "client-balancer/recv/ECONNRESET"
NO_PORT = "balancer-backend/connect/EADDRNOTAVAIL"


def test_a_reset_becomes_what_the_balancer_met(tmp_path: Path) -> None:
    run = RunBuilder().planned([0, MS]).started()
    run.failed(0, Call.RECV, errno.ECONNRESET).refusal(0, Call.CONNECT, errno.EADDRNOTAVAIL)
    run.failed(1, Call.RECV, errno.ECONNRESET)
    causes = find_causes(run.run(tmp_path))
    assert causes.count_by_key() == {NO_PORT: 1, RESET: 1}
    assert causes.joined.tolist() == [True, False]
    assert causes.backend.tolist() == [0, -1]


def test_the_same_port_at_another_address_is_another_client(tmp_path: Path) -> None:
    run = RunBuilder().planned([0, 0]).started()
    run.failed(0, Call.RECV, errno.ECONNRESET, source=0, port=5000)
    run.failed(1, Call.RECV, errno.ECONNRESET, source=1, port=5000)
    run.refusal(1, Call.CONNECT, errno.EADDRNOTAVAIL)
    assert find_causes(run.run(tmp_path)).joined.tolist() == [False, True]


def test_a_reused_tuple_gives_the_cause_to_the_connection_of_that_time(tmp_path: Path) -> None:
    run = RunBuilder().planned([0, S, 2 * S]).started()
    for row in range(3):
        run.failed(row, Call.RECV, errno.ECONNRESET, port=5000)
    run.refusal(1, Call.CONNECT, errno.ECONNREFUSED)
    assert find_causes(run.run(tmp_path)).joined.tolist() == [False, True, False]


def test_a_refusal_of_a_client_that_succeeded_goes_to_nobody(tmp_path: Path) -> None:
    run = RunBuilder().planned([0, S]).started()
    run.ok(0, port=5000).refusal(0, Call.CONNECT, errno.EADDRNOTAVAIL)
    run.failed(1, Call.RECV, errno.ECONNRESET, port=5000)
    assert find_causes(run.run(tmp_path)).count_by_key() == {RESET: 1}


def test_what_a_client_met_before_the_balancer_stays_its_own(tmp_path: Path) -> None:
    run = RunBuilder().planned([0]).started()
    run.failed(0, Call.BIND, errno.EADDRINUSE).refusal(0, Call.CONNECT, errno.EADDRNOTAVAIL)
    found = find_causes(run.run(tmp_path)).count_by_key()
    assert found == {"client-balancer/bind/EADDRINUSE": 1}


def test_a_client_that_gave_up_in_the_queue_is_not_the_one_accepted_later(tmp_path: Path) -> None:
    run = RunBuilder().planned([0]).started()
    run.failed(0, Call.CONNECT, Ending.TIMEOUT, after=S)
    run.refusal(0, Call.CONNECT, errno.EADDRNOTAVAIL, accepted_ns=3 * S, t_ns=3 * S)
    assert find_causes(run.run(tmp_path)).joined.tolist() == [False]


def test_a_stamp_from_before_the_wake_up_still_joins(tmp_path: Path) -> None:
    early = S - STAMP_SLACK_NS
    run = RunBuilder().planned([S, 3 * S]).started()
    run.failed(0, Call.RECV, errno.ECONNRESET)
    run.refusal(0, Call.CONNECT, errno.EADDRNOTAVAIL, accepted_ns=early, t_ns=early)
    run.failed(1, Call.RECV, errno.ECONNRESET)
    run.refusal(1, Call.CONNECT, errno.EADDRNOTAVAIL, accepted_ns=2 * S, t_ns=2 * S)
    assert find_causes(run.run(tmp_path)).joined.tolist() == [True, False]


def test_without_a_balancer_the_hop_is_the_other_one(tmp_path: Path) -> None:
    run = RunBuilder(scenario=scenario(balancer={"driver": "none"})).planned([0])
    run.failed(0, Call.CONNECT, errno.EADDRNOTAVAIL, backend=2)
    causes = find_causes(run.run(tmp_path))
    assert causes.count_by_key() == {"client-backend/connect/EADDRNOTAVAIL": 1}
    assert causes.backend.tolist() == [2]


def test_without_the_clients_addresses_nothing_is_guessed(tmp_path: Path) -> None:
    run = RunBuilder().planned([0])
    run.failed(0, Call.RECV, errno.ECONNRESET).refusal(0, Call.CONNECT, errno.EADDRNOTAVAIL)
    assert find_causes(run.run(tmp_path)).count_by_key() == {RESET: 1}
    assert len(client_addresses([])) == 0


#: One connection: (source, port, failed, refused); tuples repeat on purpose.
CONNECTION = st.tuples(st.integers(0, 1), st.integers(1, 4), st.booleans(), st.booleans())


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(st.lists(CONNECTION, min_size=1, max_size=40), st.randoms(use_true_random=False))
def test_whatever_happens_each_failure_has_its_own_cause(
    tmp_path: Path, connections: list[tuple[int, int, bool, bool]], order: object
) -> None:
    """One connection after the other on few tuples; the backend number marks whose word it is."""
    run = RunBuilder().planned([i * 200 * MS for i in range(len(connections))]).started()
    for row, (source, port, failed, refused) in enumerate(connections):
        if not failed:
            run.ok(row, source=source, port=port)
            continue
        run.failed(row, Call.RECV, errno.ECONNRESET, source=source, port=port)
        if refused:
            run.refusal(row, Call.CONNECT, errno.EADDRNOTAVAIL, backend=row)
    order.shuffle(run.refusals)  # type: ignore[attr-defined]  # workers write in no order
    causes = find_causes(run.run(tmp_path))
    failed_rows = [row for row, one in enumerate(connections) if one[2]]
    assert causes.row.tolist() == failed_rows
    assert causes.joined.tolist() == [connections[row][3] for row in failed_rows]
    for row, backend, joined in zip(causes.row, causes.backend, causes.joined, strict=True):
        assert backend == (row if joined else -1)
    assert sum(causes.count_by_key().values()) == len(failed_rows)
    hops = {
        int(Hop.BALANCER_BACKEND) if joined else int(Hop.CLIENT_BALANCER)
        for joined in causes.joined
    }
    assert set(causes.hop.tolist()) == hops
