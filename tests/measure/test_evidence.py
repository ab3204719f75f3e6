"""Which cause each error speaks for, rule by rule and in their order."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.measure.accounting import count_attempts
from simulator.measure.attribution import find_causes
from simulator.measure.evidence import Evidence, cause_of, gather
from simulator.measure.hops import all_hops
from simulator.measure.roles import kernel_counters
from simulator.records import Call, Ending, Hop, Outcome, error_key
from simulator.scenario.thresholds import VERDICTS
from tests.support.runs import MS, RunBuilder, S, scenario

if TYPE_CHECKING:
    from pathlib import Path

NONE: frozenset[str] = frozenset()


def cause(
    key: str,
    *,
    overflowed: bool = False,
    resets: bool = False,
    starved: frozenset[str] = NONE,
) -> str:
    return cause_of(key, overflowed=overflowed, resets_on_overflow=resets, starved=starved)


@pytest.mark.parametrize(
    ("key", "wanted"),
    [
        ("balancer-backend/connect/EADDRNOTAVAIL", "balancer-source-ports"),
        ("balancer-backend/pick/NO_PORT", "balancer-source-ports"),
        ("balancer-backend/connect/EAGAIN", "balancer-source-ports"),
        ("client-balancer/connect/EADDRNOTAVAIL", "client-source-ports"),
        ("client-backend/bind/NO_PORT", "client-source-ports"),
        ("balancer-backend/bind/EADDRINUSE", "bind-conflict"),
        ("client-backend/bind/EADDRINUSE", "bind-conflict"),
        ("balancer-backend/connect/ECONNREFUSED", "backend-refused"),
        ("client-backend/connect/ECONNREFUSED", "backend-refused"),
        ("client-balancer/connect/ECONNREFUSED", "failures"),  # the front door itself is shut
        ("client-balancer/socket/EMFILE", "descriptors"),
        ("balancer-backend/socket/ENFILE", "descriptors"),
        ("client-balancer/recv/EAGAIN", "failures"),  # no connect: nothing to do with ports
        ("client-balancer/recv/ECONNRESET", "failures"),
        ("client-balancer/connect/TIMEOUT", "failures"),
        ("balancer-backend/pick/NO_BACKEND", "failures"),
    ],
)
def test_what_an_error_speaks_for_by_itself(key: str, wanted: str) -> None:
    assert cause(key) == wanted


def test_silence_at_a_full_queue_is_the_queue_unless_its_owner_starves() -> None:
    key = "client-balancer/connect/TIMEOUT"
    assert cause(key, overflowed=True) == "accept-queue"
    assert cause(key, overflowed=True, starved=frozenset({"balancer"})) == "descriptors"
    assert cause(key, overflowed=True, starved=frozenset({"backend"})) == "accept-queue"


def test_behind_a_sidecar_a_starving_balancer_is_felt_as_silence_of_the_sidecar() -> None:
    starved = frozenset({"balancer"})
    assert cause("client-sidecar/recv/TIMEOUT", starved=starved) == "descriptors"
    assert cause("sidecar-balancer/connect/TIMEOUT", starved=starved) == "descriptors"
    assert cause("client-sidecar/recv/TIMEOUT", starved=frozenset({"sidecar"})) == "descriptors"
    assert cause("client-sidecar/recv/TIMEOUT") == "failures"


def test_resets_count_for_the_queue_only_where_the_kernel_was_told_to_reset() -> None:
    key = "client-backend/connect/ECONNRESET"
    assert cause(key, overflowed=True) == "failures"
    assert cause(key, overflowed=True, resets=True) == "accept-queue"
    assert cause(key, resets=True) == "failures"


@given(
    st.sampled_from(list(Hop)),
    st.sampled_from(list(Call)),
    st.sampled_from([*errno.errorcode, *(int(ending) for ending in Ending), 9999]),
    st.booleans(),
    st.booleans(),
)
def test_every_error_has_a_verdict(
    hop: Hop, call: Call, error: int, overflowed: bool, starved: bool
) -> None:
    who = frozenset({"balancer", "backend"}) if starved else NONE
    assert cause(error_key(hop, call, error), overflowed=overflowed, starved=who) in VERDICTS


def evidence_of(builder: RunBuilder, root: Path) -> Evidence:
    run = builder.run(root)
    causes = find_causes(run)
    return gather(
        run,
        attempts=count_attempts(run.connections, causes.count_by_key()),
        causes=causes,
        hops=all_hops(run, causes),
        doubts=[],
        endpoints={},
        peak_concurrent=0,
    )


def test_failed_and_unsent_connections_are_counted_by_cause(tmp_path: Path) -> None:
    run = RunBuilder().planned([0] * 6).started().ok(0)
    run.failed(1, Call.RECV, errno.ECONNRESET).refusal(1, Call.CONNECT, errno.EADDRNOTAVAIL)
    run.failed(2, Call.RECV, errno.ECONNRESET).refusal(2, Call.CONNECT, errno.ECONNREFUSED)
    run.failed(3, Call.RECV, Ending.EOF)
    run.outcome(4, Outcome.NOT_SENT_DESCRIPTORS).outcome(5, Outcome.NOT_SENT_STOPPED)
    found = evidence_of(run, tmp_path)
    assert found.causes == {
        "balancer-source-ports": 1, "backend-refused": 1, "failures": 1, "descriptors": 1,
    }  # fmt: skip
    assert found.share("failures") == 1 / 4
    assert found.share("ok") == 0.0
    assert found.error_names("backend-refused") == ["ECONNREFUSED"]
    assert sum(sum(kinds.values()) for kinds in found.errors.values()) == found.attempts.failed


def test_dials_tell_what_retries_hid(tmp_path: Path) -> None:
    run = RunBuilder(scenario=scenario(backends={"count": 3})).planned([0]).ok(0)
    run.dial(1, error=errno.EADDRNOTAVAIL, backend=2).dial(2, error=errno.EADDRNOTAVAIL, backend=0)
    run.dial(3, error=errno.ECONNREFUSED, backend=1).dial(4, backend=1)
    found = evidence_of(run, tmp_path)
    assert found.port_dials == 2
    assert found.dial_errors == {"connect/EADDRNOTAVAIL": 2, "connect/ECONNREFUSED": 1}
    assert found.dial_backends == {"EADDRNOTAVAIL": [0, 2], "ECONNREFUSED": [1]}
    assert found.causes == {}


def test_starving_roles_and_drops_come_from_their_own_counters(tmp_path: Path) -> None:
    run = RunBuilder().planned([0]).ok(0)
    run.tick(0, "balancer", 0, accept_errors={"EMFILE": 1})
    run.tick(S, "balancer", 0, accept_errors={"EMFILE": 7, "ECONNABORTED": 2})
    run.tick(S, "balancer", 1, accept_errors={"ENFILE": 1})
    run.tick(S, "backend", 0, accept_errors={"ECONNABORTED": 2})
    run.sample(0, {}, counters={"TcpExt.ListenDrops": 1})
    run.sample(S, {}, counters={"TcpExt.ListenDrops": 5, "TcpExt.ListenOverflows": 4})
    found = evidence_of(run, tmp_path)
    assert found.out_of_descriptors == {"balancer": 8}
    assert found.dropped == 5


def test_an_event_of_counters_outranks_the_last_sample(tmp_path: Path) -> None:
    run = RunBuilder().planned([]).sample(0, {}, counters={"Tcp.ActiveOpens": 1})
    run.event("sysctls", MS, values={"net.ipv4.tcp_tw_reuse": 1})
    assert kernel_counters(run.run(tmp_path)) == {"Tcp.ActiveOpens": 1}
    run.event("counters", 2 * MS, counters={"Tcp.ActiveOpens": 9})
    assert kernel_counters(run.run(tmp_path)) == {"Tcp.ActiveOpens": 9}
    assert kernel_counters(RunBuilder().planned([]).run(tmp_path)) == {}
