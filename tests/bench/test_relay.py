"""The relay bench: fair order, ratios within rounds, what is absent is named."""

from __future__ import annotations

from collections import Counter

import pytest

from simulator.bench.relay import (
    HAPROXY,
    OWN,
    SUBJECTS,
    UVLOOP,
    run_rounds,
    summarise,
    table,
    versions,
)
from simulator.bench.rows import has_errors, order_of
from simulator.bench.yard import RoundResult
from simulator.errors import RunFailed


def result(cpu_us: float, errors: int = 0) -> RoundResult:
    return RoundResult(
        connections=1_000,
        errors=errors,
        seconds=1.0,
        cpu_us=cpu_us,
        user_us=cpu_us / 4,
        system_us=cpu_us * 3 / 4,
        busy=0.9,
    )


def test_each_subject_is_measured_first_equally_often() -> None:
    orders = [order_of(number, SUBJECTS) for number in range(6)]
    assert all(sorted(order) == sorted(SUBJECTS) for order in orders)
    for place in range(3):
        assert set(Counter(order[place] for order in orders).values()) == {2}


def test_ratios_are_formed_within_a_round() -> None:
    # The machine is twice as slow in the second round, for both alike.
    results = {OWN: [result(11), result(22), result(12)], HAPROXY: [result(10), result(20)] * 2}
    rows = summarise(results, {OWN: "1", HAPROXY: "2"})
    cpu = next(row for row in rows if (row.subject, row.metric) == (OWN, "cpu"))
    assert (cpu.median, cpu.low, cpu.high, cpu.n) == (12, 11, 22, 3)
    assert (cpu.ratio, cpu.ratio_low, cpu.ratio_high) == (1.1, 1.1, 1.2)
    itself = next(row for row in rows if (row.subject, row.metric) == (HAPROXY, "cpu"))
    assert itself.ratio == 1.0


def test_a_peer_that_is_not_installed_is_named_and_nothing_is_compared() -> None:
    version_of = {OWN: "1", HAPROXY: None, UVLOOP: "0.2"}
    rows = summarise({OWN: [result(50)], UVLOOP: [result(70)]}, version_of)
    assert all(row.ratio is None for row in rows)
    assert {row.n for row in rows if row.subject == HAPROXY} == {0}
    text = table(rows)
    assert "haproxy: not installed" in text
    assert len(text.splitlines()) == 4


def test_a_failed_connection_makes_it_not_valid() -> None:
    version_of: dict[str, str | None] = {OWN: "1"}
    assert not has_errors(summarise({OWN: [result(50)] * 3}, version_of))
    assert has_errors(summarise({OWN: [result(50), result(50, 1), result(50)]}, version_of))


def test_every_subject_has_a_version_or_is_said_to_be_absent() -> None:
    found = versions()
    assert tuple(found) == SUBJECTS
    assert found[OWN]
    assert found[UVLOOP]


@pytest.mark.namespace
def test_a_subject_that_cannot_run_is_an_error_with_its_words() -> None:
    with pytest.raises(RunFailed, match="no such subject"):
        run_rounds(["nothing"], rounds=1, seconds=0.2, at_once=1, tell=print)
