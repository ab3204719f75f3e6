"""Verdicts of a resolver: forged answers that were believed, ports that its pool took."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from simulator.measure.verdict_parts import Verdict, percent
from simulator.measure.waiting_findings import Finding
from simulator.preflight.dns import later_services, stolen_by_chance
from simulator.scenario.resolver import pool_range, usable_pool_ports
from simulator.theory.forgery import spoofed_once, taken_by_pool
from simulator.units import NS_PER_S, format_count

if TYPE_CHECKING:
    from collections.abc import Mapping

    from simulator.measure.evidence import Evidence

#: What Windows has unless told otherwise, and all IDs that there are.
_USUAL_POOL = 2500
_ALL_IDENTS = 1 << 16


def _space(forged: Mapping[str, Any]) -> str:
    """What a forger had to guess among, as a product."""
    parts = [(forged["servers"], "server"), (forged["ports"], "port"), (forged["idents"], "ID")]
    return " x ".join(f"{format_count(n)} {word}{'s' * (n > 1)}" for n, word in parts)


def _formula(forged: Mapping[str, Any]) -> str:
    return (
        f"{_space(forged)} and {forged['within']:.3g} forged answers while a question waited: "
        f"the formula expects {forged['expected']:.1f}"
    )


def forged_answers(evidence: Evidence) -> Finding:
    """The sentence, and what other pools and IDs would have come to."""
    forged = (evidence.dns or {}).get("forgery")
    if forged is None:
        sentence = "Forged answers were accepted, and nobody here is known to have forged them"
        return Finding(sentence=sentence, remedies=[_not_guessing()], evidence={})
    low, high = forged["interval"]
    believed, questions = forged["believed"], forged["questions"]
    return Finding(
        sentence=(
            f"Forged answers were accepted: {format_count(believed)} of {format_count(questions)} "
            f"queries ({percent(forged['share'])}, 95 % {percent(low)} to {percent(high)}); "
            f"{_formula(forged)}"
        ),
        remedies=[*_harder_to_guess(evidence, forged), _not_guessing()],
        evidence=dict(forged),
    )


def _harder_to_guess(evidence: Evidence, forged: Mapping[str, Any]) -> list[str]:
    def expected(ports: int, idents: int) -> str:
        odds = spoofed_once(ports, forged["within"], servers=forged["servers"], ids=idents)
        return f"{forged['expected']:.3g} -> {forged['questions'] * odds:.3g} expected"

    ports, idents = forged["ports"], forged["idents"]
    usual = min(_USUAL_POOL, usable_pool_ports(evidence.scenario))
    found = []
    if ports < usual:
        found.append(
            f"draw from more ports (balancer.resolver.pool.size: {usual}, as Windows DNS has it): "
            f"{expected(usual, idents)}"
        )
    if idents < _ALL_IDENTS:
        found.append(
            f"use all 16 bits of the ID (balancer.resolver.id_bits: 16): "
            f"{expected(ports, _ALL_IDENTS)}"
        )
    return found


def _not_guessing() -> str:
    return "have answers signed (DNSSEC), so that a right guess is no longer enough"


def port_stolen_by_pool(evidence: Evidence) -> Finding:
    """The sentence, and how each service gets its port."""
    seen, scenario = evidence.odd.pooled, evidence.scenario
    resolver = scenario.balancer.resolver
    assert seen is not None, "the cause was counted from it"
    assert resolver is not None, "only a resolver has a pool"
    one, count, late = seen.thefts[0], len(seen.thefts), later_services(scenario)
    size, room = resolver.pool.size, usable_pool_ports(scenario)
    share = percent(taken_by_pool(size, room))
    odds = f"{format_count(size)} of {format_count(room)} ports are {share}"
    of_all = f" of {format_count(len(late))}" if late is not None else ""
    chance = f", {stolen_by_chance(scenario):.1f} of them on average" if late is not None else ""
    waits = [theft for theft in seen.thefts if not theft.is_back]
    return Finding(
        sentence=(
            f"The resolver's socket pool had taken the port of {format_count(count)}{of_all} "
            f"services that came later: backend {one.backend} wanted {one.endpoint} after "
            f"{one.since_ns / NS_PER_S:.1f} s and met EADDRINUSE, as {one.toward} was bound; "
            f"{format_count(len(waits))} still waited at the end; {odds}{chance}"
        ),
        remedies=[
            (
                f"exclude what services want (balancer.resolver.pool.exclude: "
                f"[{late or one.endpoint.rpartition(':')[2]}], on Windows "
                f"SocketPoolExcludedPortRanges): {format_count(count)} -> 0 ports taken"
            ),
            (
                f"give services ports outside the pool's {pool_range(scenario)}: "
                f"{format_count(count)} -> 0 ports taken"
            ),
            (
                "start them before the resolver, which passes over ports that are held; at the "
                "price of an order that every restart has to keep"
            ),
        ],
        evidence={
            "thefts": [
                {"backend": theft.backend, "endpoint": theft.endpoint, "is_back": theft.is_back}
                for theft in seen.thefts
            ],
            "expected": stolen_by_chance(scenario),
            "elsewhere": seen.elsewhere,
        },
    )


def dns_ok(evidence: Evidence) -> Verdict:
    """A resolver's run in which nothing went wrong."""
    table, attempts = evidence.dns, evidence.attempts
    assert table is not None, "only with a resolver"
    observed, pool, forged = table["observed"], table["pool"], table["forgery"]
    ports = f"{format_count(observed['ports'])} of the pool's {format_count(pool['size'])} ports"
    resolver = evidence.scenario.balancer.resolver
    assert resolver is not None, "as said"
    servers, idents = evidence.scenario.backends.count, 1 << resolver.id_bits
    product = " x ".join(map(format_count, (servers, pool["size"], idents)))
    forger = ""
    if forged is not None:
        forger = (
            f"; none of {format_count(forged['received'])} forged answers was believed; "
            f"{_formula(forged)}"
        )
    return Verdict(
        code="ok",
        hop=None,
        sentence=(
            f"Nothing ran out: {format_count(attempts.ok)} of {format_count(attempts.sent)} "
            f"queries were answered; servers saw {format_count(observed['questions'])} questions "
            f"from {ports}{forger}."
        ),
        remedies=[
            (
                f"by arithmetic one forged answer is believed with a chance of 1 in {product} = "
                f"{format_count(servers * pool['size'] * idents)} (servers x ports x IDs)"
            ),
        ],
        evidence={"observed": dict(observed), "pool": dict(pool), "forgery": forged},
    )
