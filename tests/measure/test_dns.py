"""What a resolver's records come to: the observer's count, the forger's share, the formula."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from simulator.measure.dns import dns_metric, dns_table, forgery, pool_ports
from simulator.measure.intervals import wilson
from simulator.measure.summary import summarize
from simulator.records import Call, Ending
from simulator.theory.forgery import spoofed_once
from tests.measure.test_summary_schema import check
from tests.support.runs import RunBuilder, S, scenario

if TYPE_CHECKING:
    from pathlib import Path

POOL = {"ports": [50_002, 50_000], "lost_races": 1, "seen_by_kernel": 2}


def deceived(believed: int = 3, questions: int = 10, **forger: Any) -> RunBuilder:  # noqa: ANN401
    """Ten questions from two ports, of which some got a forged answer."""
    asked = scenario(
        backends={"kind": "dns"},
        balancer={
            "driver": "resolver",
            "resolver": {"id_bits": 10, "pool": {"size": 2}, "forger": forger or {"rate": "10/s"}},
        },
        thresholds=["dns.forged == 3", "dns.observed_ports == 2", "dns.forged_expected > 0"],
    )
    run = RunBuilder(scenario=asked).started().planned([i * 10_000_000 for i in range(questions)])
    for row in range(questions):
        run.ok(row)
        run.question((50_000, 50_002)[row % 2], row % 9)
    for row in range(believed):
        run.failed(row, Call.RECV, Ending.FORGED)
        run.refusal(row, Call.RECV, Ending.FORGED)
    counted = {"asked": questions, "answered": questions, "forged": 500, "refused_id": 497}
    counted |= {"forged_believed": believed, "windows": 7, "forged_within": 700}
    run.event("dns-pool", 0, **POOL)
    run.tick(S, "balancer", dns=counted, picks={"0": questions})
    return run.tick(S, "forger", packets=510)


def test_the_observer_counts_what_servers_wrote_down(tmp_path: Path) -> None:
    run = deceived().run(tmp_path)
    table = dns_table(run, ["127.4.0.1:50002"])
    assert table is not None
    observed = table["observed"]
    assert (observed["questions"], observed["ports"]) == (10, 2)
    assert observed["pairs"] == 10  # 9 IDs, and the tenth question reuses one on another port
    assert observed["ports_expected"] == pytest.approx(2 * (1 - 0.5**10))
    assert table["pool"] == {
        "size": 2, "range": "49152-65535", "usable": 16_384, "lost_races": 1, "seen_by_kernel": 2,
    }  # fmt: skip
    assert (table["asked"], table["refused_id"], table["stolen"]) == (10, 497, 1)
    ports = pool_ports(run)
    assert ports is not None
    assert ports.tolist() == [50_000, 50_002]


def test_the_forgers_share_stands_beside_the_formula(tmp_path: Path) -> None:
    found = forgery(deceived().run(tmp_path))
    assert found is not None
    assert (found.packets, found.received, found.believed, found.questions) == (510, 500, 3, 10)
    assert (found.servers, found.ports, found.idents, found.within) == (1, 2, 1024, 100.0)
    assert found.odds == pytest.approx(spoofed_once(2, 100, servers=1, ids=1024))
    assert found.expected == pytest.approx(10 * 100 / 2048)
    assert found.share == pytest.approx(0.3)
    assert found.interval == list(wilson(3, 10))


def test_who_knows_only_the_range_guesses_among_all_of_it(tmp_path: Path) -> None:
    found = forgery(deceived(knows="range").run(tmp_path))
    assert found is not None
    assert found.ports == 16_384


def test_without_questions_nothing_is_claimed(tmp_path: Path) -> None:
    found = forgery(deceived(believed=0, questions=0).run(tmp_path))
    assert found is not None
    assert (found.share, found.interval, found.expected) == (None, None, 0)


def test_other_runs_have_none_of_it(tmp_path: Path) -> None:
    run = RunBuilder().planned([]).run(tmp_path)
    assert dns_table(run, []) is None
    assert forgery(run) is None
    assert pool_ports(run) is None
    assert dns_metric(None, "dns.forged") is None


def test_a_summary_has_the_table_its_thresholds_and_the_pools_ports(tmp_path: Path) -> None:
    summary = summarize(deceived().run(tmp_path))
    check(summary)
    assert [one["holds"] for one in summary["thresholds"]] == [True] * 3
    assert summary["attempts"]["errors"] == {"balancer-backend/recv/FORGED": 3}
    use = summary["hops"][1]["port_use"]
    assert use["ports"] == 2  # the pool's, not the range's
    assert summary["hops"][1]["budget"] == 2 << 10
