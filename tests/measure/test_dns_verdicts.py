"""Verdicts of a resolver in plain words, with the formula beside what was measured."""

from __future__ import annotations

from typing import TYPE_CHECKING

from simulator.measure.summary import summarize
from simulator.records import Call, Ending
from tests.measure.test_dns import deceived
from tests.measure.test_summary_schema import check
from tests.support.runs import MS, RunBuilder, S, scenario

if TYPE_CHECKING:
    from pathlib import Path


def test_forged_answers_are_named_with_interval_and_formula(tmp_path: Path) -> None:
    verdict = summarize(deceived().run(tmp_path))["verdict"]
    assert (verdict["code"], verdict["hop"]) == ("forged-answers", "balancer-backend")
    assert verdict["sentence"] == (
        "Forged answers were accepted: 3 of 10 queries (30.0 %, 95 % 10.8 % to 60.3 %); 1 server x "
        "2 ports x 1,024 IDs and 100 forged answers while a question waited: the formula expects "
        "0.5; 30.0 % of connections failed (FORGED)."
    )
    pool, ids, signed = verdict["remedies"]
    assert "pool.size: 2500" in pool
    assert pool.endswith("0.488 -> 0.000391 expected")  # 2 -> 2,500 ports
    assert ids.endswith("0.488 -> 0.00763 expected")  # 10 -> 16 bits
    assert "DNSSEC" in signed


def test_where_none_was_believed_it_is_said_what_was_expected(tmp_path: Path) -> None:
    verdict = summarize(deceived(believed=0).run(tmp_path))["verdict"]
    assert verdict["code"] == "ok"
    assert verdict["sentence"] == (
        "Nothing ran out: 10 of 10 queries were answered; servers saw 10 questions from 2 of the "
        "pool's 2 ports; none of 500 forged answers was believed; 1 server x 2 ports x 1,024 IDs "
        "and 100 forged answers while a question waited: the formula expects 0.5."
    )
    (chance,) = verdict["remedies"]
    assert "a chance of 1 in 1 x 2 x 1,024 = 2,048 (servers x ports x IDs)" in chance


def test_a_forgery_without_a_forger_is_said_so(tmp_path: Path) -> None:
    run = RunBuilder().started().planned([0]).failed(0, Call.RECV, Ending.FORGED)
    verdict = summarize(run.run(tmp_path))["verdict"]
    assert verdict["code"] == "forged-answers"
    assert "nobody here is known" in verdict["sentence"]


def robbed(exclude: str = "60000-60001") -> RunBuilder:
    """Services 1 and 2 of 4 come at 1 s and find their port in the pool; 2 is back at 2 s."""
    asked = scenario(
        backends={
            "count": 4, "kind": "dns", "ports": "fixed", "range": "50000-50003",
            "churn": {"scale": [{"time": "0s", "count": 1}, {"time": "1s", "count": 4}]},
        },
        balancer={"driver": "resolver", "resolver": {"pool": {"exclude": [exclude]}}},
        traffic=[{"name": "a", "for": "3s", "arrivals": {"constant": "10/s"}}],
        thresholds=["dns.stolen == 2", "backends.stolen == 0"],
    )  # fmt: skip
    run = RunBuilder(scenario=asked).started().planned([i * 100 * MS for i in range(30)])
    for row in range(30):
        run.ok(row).question(50_100 + row, row)
    for backend in (1, 2):
        holder = {"bound": f"0.0.0.0:{50_000 + backend}", "sockets": 1}
        where = {"address": "127.4.0.1", "port": 50_000 + backend}
        run.event("backend-waits", S, backend=backend, holder=holder, **where)
    return run.event("backend-back", 2 * S, backend=2, address="127.4.0.1", port=50_002)


def test_a_pool_that_took_ports_is_named_though_nobody_failed(tmp_path: Path) -> None:
    summary = summarize(robbed().run(tmp_path))
    check(summary)
    verdict = summary["verdict"]
    assert verdict["code"] == "port-stolen-by-pool"
    assert verdict["sentence"] == (
        "The resolver's socket pool had taken the port of 2 of 3 services that came later: backend "
        "1 wanted 127.4.0.1:50001 after 1.0 s and met EADDRINUSE, as 0.0.0.0:50001 was bound; 1 "
        "still waited at the end; 2,500 of 16,382 ports are 15.3 %, 0.5 of them on average."
    )
    assert summary["dns"]["robbed"] == ["127.4.0.1:50001", "127.4.0.1:50002"]
    assert "[50001-50003]" in verdict["remedies"][0]
    assert "SocketPoolExcludedPortRanges" in verdict["remedies"][0]
    assert [one["is_back"] for one in verdict["evidence"]["thefts"]] == [False, True]
    # 2 s at 10/s for one, 1 s for the other, over four servers
    assert verdict["evidence"]["elsewhere"] == round(20 / 4 + 10 / 4)
    assert [one["holds"] for one in summary["thresholds"]] == [True, True]
