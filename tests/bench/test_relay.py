"""The relay bench: fair order, ratios within rounds, what is absent is named."""

from __future__ import annotations

from collections import Counter

import pytest

from simulator.bench.relay import (
    HAPROXY,
    NGINX,
    OWN,
    SUBJECTS,
    UVLOOP,
    run_rounds,
    summarise,
    table,
    versions,
)
from simulator.bench.rows import Row, has_errors, order_of
from simulator.bench.workloads import CLOSE, HOLD
from simulator.bench.yard import RoundResult
from simulator.errors import RunFailed


def result(cpu_us: float, errors: int = 0) -> RoundResult:
    return RoundResult(
        done=1_000,
        errors=errors,
        seconds=1.0,
        cpu_us=cpu_us,
        user_us=cpu_us / 4,
        system_us=cpu_us * 3 / 4,
        busy=0.9,
        memory_bytes=cpu_us * 100,
    )


def one_of(rows: list[Row], subject: str, metric: str, against: str) -> Row:
    """The row with this key."""
    (found,) = [
        row for row in rows if (row.subject, row.metric, row.against) == (subject, metric, against)
    ]
    return found


def test_held_connections_are_compared_by_memory() -> None:
    results = {OWN: [result(3)], HAPROXY: [result(30)]}
    rows = summarise(HOLD, results, {OWN: "1", HAPROXY: "2"})
    assert {row.metric for row in rows} == {"memory", "errors"}
    memory = one_of(rows, OWN, "memory", HAPROXY)
    assert (memory.median, memory.unit, memory.ratio) == (300, "bytes/connection", 0.1)
    assert "hold, bytes/connection" in table(rows)


def test_each_subject_is_measured_first_equally_often() -> None:
    orders = [order_of(number, SUBJECTS) for number in range(2 * len(SUBJECTS))]
    assert all(sorted(order) == sorted(SUBJECTS) for order in orders)
    for place in range(len(SUBJECTS)):
        assert set(Counter(order[place] for order in orders).values()) == {2}


def test_ratios_are_formed_within_a_round() -> None:
    # The machine is twice as slow in the second round, for both alike.
    results = {OWN: [result(11), result(22), result(12)], HAPROXY: [result(10), result(20)] * 2}
    rows = summarise(CLOSE, results, {OWN: "1", HAPROXY: "2"})
    cpu = one_of(rows, OWN, "cpu", HAPROXY)
    assert (cpu.median, cpu.low, cpu.high, cpu.n) == (12, 11, 22, 3)
    assert (cpu.ratio, cpu.ratio_low, cpu.ratio_high) == (1.1, 1.1, 1.2)
    assert (cpu.bench, cpu.unit) == ("relay-close", "us/connection")
    assert one_of(rows, HAPROXY, "cpu", HAPROXY).ratio == 1.0
    # A second base has ratios of its own, here none: it was not measured.
    assert one_of(rows, OWN, "cpu", NGINX).ratio is None


def test_a_peer_that_is_not_installed_is_named_and_nothing_is_compared() -> None:
    version_of = {OWN: "1", HAPROXY: None, UVLOOP: "0.2"}
    rows = summarise(CLOSE, {OWN: [result(50)], UVLOOP: [result(70)]}, version_of)
    assert all(row.ratio is None for row in rows)
    assert {row.n for row in rows if row.subject == HAPROXY} == {0}
    text = table(rows)
    assert "haproxy: not installed" in text
    assert len(text.splitlines()) == 4


def test_a_failed_connection_makes_it_not_valid() -> None:
    version_of: dict[str, str | None] = {OWN: "1"}
    assert not has_errors(summarise(CLOSE, {OWN: [result(50)] * 3}, version_of))
    assert has_errors(summarise(CLOSE, {OWN: [result(50), result(50, 1), result(50)]}, version_of))


def test_every_subject_has_a_version_or_is_said_to_be_absent() -> None:
    found = versions()
    assert tuple(found) == SUBJECTS
    assert found[OWN]
    assert found[UVLOOP]


@pytest.mark.namespace
def test_a_subject_that_cannot_run_is_an_error_with_its_words() -> None:
    with pytest.raises(RunFailed, match="no such subject"):
        run_rounds(CLOSE, ["nothing"], rounds=1, seconds=0.2, at_once=1, tell=print)
