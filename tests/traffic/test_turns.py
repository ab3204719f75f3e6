"""Rows that wait for others: pauses by their law, turns by Little's law, all from the seed."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from simulator.errors import Refused
from simulator.scenario.turns import Retry
from simulator.seeds import generator
from simulator.traffic.plan import Plan, make_plan
from simulator.traffic.turns import retry_pauses_ns
from tests.support.scenarios import SMALL, loaded, small

MS = 1_000_000
S = 1000 * MS
RETRY = "clients.retry={attempts: 4, backoff: 40ms, factor: 3}"
USERS = "traffic.0.users={count: 20, think: 80ms}"


def plan_of(*flags: str) -> Plan:
    return make_plan(small(*flags))


def check_waits(plan: Plan) -> None:
    """Rows wait for earlier rows, each of which is waited for once, and never go before them."""
    after, due = plan.extra["after"], plan.columns["due_ns"]
    waiting = np.flatnonzero(after >= 0)
    assert (after[waiting] < waiting).all()
    assert len(set(after[waiting].tolist())) == len(waiting)
    assert (due[waiting] >= due[after[waiting]] + plan.extra["pause_ns"][waiting]).all()
    assert (np.diff(due) >= 0).all()
    assert (plan.columns["phase"][waiting] == plan.columns["phase"][after[waiting]]).all()


def test_without_jitter_pauses_grow_by_the_factor() -> None:
    plan = plan_of(RETRY, "traffic.0.requests={geometric: 3}", "traffic.0.lifetime=5ms")
    check_waits(plan)
    attempt, pause = plan.extra["attempt"], plan.extra["pause_ns"]
    assert np.bincount(attempt).tolist() == [10, 10, 10, 10]
    for number, wanted in enumerate([0, 40 * MS, 120 * MS, 360 * MS]):
        assert set(pause[attempt == number].tolist()) == {wanted}


def test_a_retry_asks_for_the_same_as_what_failed() -> None:
    plan = plan_of(RETRY, "traffic.0.requests={geometric: 3}", "backends.service_time=9ms")
    waits = plan.extra["after"] >= 0
    before = plan.extra["after"][waits]
    for name in ("lifetime_ns", "requests", "request_bytes", "response_bytes", "first_service"):
        assert (plan.columns[name][waits] == plan.columns[name][before]).all()
    first = plan.columns["requests"][plan.extra["attempt"] == 0]
    assert plan.requests == first.sum()


def test_first_attempts_are_those_of_a_plan_without_retries() -> None:
    ideal, plain = plan_of(RETRY).without_retries(), plan_of()
    assert ideal.digest == plain.digest
    assert plain.without_retries() is plain
    assert plan_of(RETRY).digest != plain.digest


def test_full_jitter_is_uniform_up_to_the_growing_pause() -> None:
    retry = Retry.model_validate({"attempts": 5, "backoff": "40ms", "factor": 3, "jitter": "full"})
    for attempt in (1, 2, 3):
        pauses = retry_pauses_ns(retry, attempt, 5000, generator(1, "jitter", attempt))
        longest = 40 * MS * 3 ** (attempt - 1)
        assert stats.kstest(pauses, "uniform", args=(0, longest)).pvalue > 1e-3


def test_users_come_back_after_answer_and_think_time() -> None:
    plan = plan_of(USERS, "backends.service_time=20ms", "traffic.0.for=2s")
    check_waits(plan)
    assert plan.connections == 20 * 2 * S / (100 * MS)
    after, due = plan.extra["after"], plan.columns["due_ns"]
    first = np.flatnonzero(after < 0)
    assert due[first].tolist() == [at * 80 * MS // 20 for at in range(20)]
    waits = after >= 0
    assert set((due[waits] - due[after[waits]]).tolist()) == {100 * MS}
    assert due.max() < 2 * S
    assert plan.requests == plan.connections


def test_exponential_thinking_has_its_law_and_the_rate_of_littles_law() -> None:
    plan = plan_of(
        "traffic.0.users={count: 200, think: 90ms, draw: exponential}",
        "backends.service_time=10ms",
        "traffic.0.for=10s",
    )
    check_waits(plan)
    pauses = plan.extra["pause_ns"][plan.extra["after"] >= 0]
    # Thinks that would end after the phase are not in the plan, so those early on are looked at.
    early = pauses[: len(pauses) // 2]
    assert stats.kstest(early, "expon", args=(0, 90 * MS)).pvalue > 1e-3
    assert plan.connections == pytest.approx(200 * 10 / 0.1, rel=0.02)


def test_each_turn_draws_anew_and_the_same_from_the_same_seed() -> None:
    flags = [USERS, "traffic.0.requests={uniform: {from: 1, to: 9}}", "traffic.0.for=2s"]
    plan = plan_of(*flags)
    assert plan.digest == plan_of(*flags).digest
    assert plan.digest != plan_of(*flags, "seed=2").digest
    requests = plan.columns["requests"]
    assert len(set(requests.tolist())) == 9
    spans = plan.columns["first_service"]
    covered = [np.arange(a, a + n) for a, n in zip(spans, requests, strict=True)]
    assert (np.sort(np.concatenate(covered)) == np.arange(plan.requests)).all()


def test_phases_of_a_closed_loop_follow_each_other() -> None:
    text = "  - {name: more, for: 1s, users: {count: 5, think: 50ms}}\n"
    plan = make_plan(loaded(SMALL + text, USERS).scenario)
    check_waits(plan)
    second = plan.columns["phase"] == 1
    assert plan.columns["due_ns"][second].min() == S
    assert np.count_nonzero(second) == 5 * 1000 // 50


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["traffic.0.users={count: 100000, think: 1ms}", "traffic.0.for=1m"], "100,000 users"),
        (["traffic.0.users={count: 1, think: 1ms}", "traffic.0.for=10m"], "100,000 for one user"),
    ],
)
def test_a_loop_that_could_turn_too_often_is_refused(
    flags: list[str], words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("simulator.traffic.plan.MAX_CONNECTIONS", 1_000_000)
    monkeypatch.setattr("simulator.traffic.turns.MAX_TURNS", 1_000)
    with pytest.raises(Refused) as error:
        plan_of(*flags)
    assert words.replace("100,000 for", "1,000 for") in str(error.value)


def test_retries_count_against_the_most_connections() -> None:
    with pytest.raises(Refused, match="each tried 4 times"):
        plan_of(RETRY, "traffic.0.arrivals.constant=1000000/s", "traffic.0.for=2s")


@settings(deadline=None, max_examples=50)  # up to three hundred turns are drawn one by one
@given(
    st.integers(1, 30),
    st.integers(1, 200),
    st.integers(0, 50),
    st.integers(1, 300),
    st.sampled_from(["constant", "exponential"]),
)
def test_any_closed_loop_keeps_its_users_apart_and_in_order(
    users: int, think: int, service: int, length: int, draw: str
) -> None:
    plan = plan_of(
        f"traffic.0.users={{count: {users}, think: {think}ms, draw: {draw}}}",
        f"backends.service_time={service}ms",
        f"traffic.0.for={length}ms",
    )
    check_waits(plan)
    assert np.count_nonzero(plan.extra["after"] < 0) <= users
    assert plan.peak_concurrent() <= users
