"""A resolver before a run: what its pool takes, how it asks, and what a forger may hope for."""

from __future__ import annotations

from dataclasses import replace
from math import comb

import pytest

from simulator.preflight.dns import (
    distinct_ports,
    forgery_odds,
    later_services,
    pool_refusal,
    resolver_words,
    stolen_by_chance,
)
from simulator.preflight.hops import hop_budgets, source_ports
from tests.preflight.test_examine import ROOMY, flight, need
from tests.support.scenarios import small

DNS = ("backends.kind=dns", "balancer.driver=resolver")
POOL = "balancer.resolver.pool"
FORGER = "balancer.resolver.forger={rate: 1000/s, packets: 100000}"
_STEPS = "{scale: [{time: 0s, count: 1}, {time: 500ms, count: 4}]}"
LATE = (
    f"backends={{count: 4, kind: dns, ports: fixed, range: 50000-50003, churn: {_STEPS}}}",
    "balancer.driver=resolver",
)


def test_distinct_ports_are_what_draws_come_to() -> None:
    """Of every sequence of 4 draws from 3 ports, by counting."""
    total = sum(
        len({a, b, c, d}) for a in range(3) for b in range(3) for c in range(3) for d in range(3)
    )
    assert distinct_ports(4, 3) == pytest.approx(total / 3**4)
    assert distinct_ports(1, 2500) == pytest.approx(1)


def test_the_budget_is_ports_times_ids_and_udp_keeps_nothing() -> None:
    asked = small(*DNS, f"{POOL}={{size: 10, range: 50000-50099, exclude: [50000-50009]}}")
    front, toward = hop_budgets(asked)
    assert (toward.budget, toward.total, toward.mode) == (655_360, 655_360, "pool")
    assert (toward.range_text, toward.reserved) == ("50000-50099", 10)
    assert str(source_ports(asked, asked.balancer.source)) == "50000-50099"
    assert front.mode == "userspace"
    found = flight(*DNS)
    assert all(one.blocked_ns == 0 for one in found.ceilings)
    assert not found.refusals


def test_the_pool_costs_descriptors_and_too_large_a_one_is_refused() -> None:
    assert need(flight(*DNS), "balancer") == 2500 + 1
    tight = replace(ROOMY, descriptors_hard=1000)
    (refusal,) = flight(*DNS, machine=tight).refusals
    assert "2,500 sockets of the pool" in refusal
    assert "lower balancer.resolver.pool.size" in refusal
    assert pool_refusal("so many", 1000).startswith("balancer: so many, but")
    assert [one.role for one in flight(*DNS, FORGER).roles].count("forger") == 1
    assert [one.role for one in flight(*DNS).roles].count("forger") == 0


def test_services_that_come_later_are_robbed_by_chance() -> None:
    asked = small(*LATE, f"{POOL}={{size: 50, range: 49950-50049}}")
    late = later_services(asked)
    assert str(late) == "50001-50003"
    # Drawn without replacement: each of the three is in the pool with 50/100.
    by_counting = sum(k * comb(3, k) * comb(97, 50 - k) / comb(100, 50) for k in range(4))
    assert stolen_by_chance(asked) == pytest.approx(by_counting)
    spared = small(*LATE, f"{POOL}={{size: 50, range: 49950-50049, exclude: [50000-50002]}}")
    assert stolen_by_chance(spared) == pytest.approx(50 / 97)
    assert later_services(small(*LATE, f"{POOL}={{size: 5, range: 60000-60009}}")) is None
    assert later_services(small(*DNS)) is None
    assert later_services(small()) is None
    assert stolen_by_chance(small()) == 0


@pytest.mark.parametrize(("knows", "ports"), [("pool", 16), ("range", 100)])
def test_the_odds_are_those_of_the_rfc(knows: str, ports: int) -> None:
    changes = (f"{POOL}={{size: 16, range: 50000-50099}}", "balancer.resolver.id_bits=10")
    asked = small(
        *DNS, *changes, f"balancer.resolver.forger={{knows: {knows}}}", "backends.count=2"
    )
    odds = forgery_odds(asked, 400)
    assert odds is not None
    assert odds.combinations == 2 * ports * 1024
    assert odds.once == pytest.approx(400 / odds.combinations)
    assert forgery_odds(small(*DNS), 400) is None
    assert forgery_odds(small(), 400) is None


def test_explain_says_all_of_it_with_its_arithmetic() -> None:
    changes = (f"{POOL}.size=16", "balancer.resolver.id_bits=10", "backends.service_time=100ms")
    notes = "\n".join(flight(*DNS, *changes, FORGER).notes)
    assert "16 of 16,384 ports of 49152-65535" in notes
    assert "16 / 16,384 = 0.0977 %" in notes
    assert "16 ports x 1,024 IDs = 16,384 ways" in notes
    assert "10 questions leave by 8 distinct ports" in notes  # 16 (1 - (15/16)^10) = 7.6
    assert "1,000/s x 100ms of waiting = 100 answers a question" in notes
    assert "1 server x 16 ports x 1,024 IDs = 16,384: 0.61 % of questions" in notes
    assert "0.1 of the 10 that he meets" in notes
    late = "\n".join(flight(*LATE).notes)
    assert "3 services want 50001-50003" in late
    assert "on average 0.5 of them" in late
    assert not any("pool" in note for note in flight().notes)


def test_what_would_be_created_in_a_line() -> None:
    assert resolver_words(small(*DNS)) == (
        "a resolver with 2,500 UDP sockets, chosen random, 16 bits of ID, policy round-robin"
    )
    assert "; a forger of its servers (1,000/s, 100,000 packets at most)" in resolver_words(
        small(*DNS, FORGER)
    )
