"""The summary as a whole: its fields, its arithmetic, and that any run has one."""

from __future__ import annotations

import errno
import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from simulator.errors import InternalError
from simulator.measure.summary import summarize
from simulator.records import Call, Ending, Outcome
from simulator.store.read import load_run, read_summary
from tests.support.runs import MS, RunBuilder, S, hop_sample, scenario

if TYPE_CHECKING:
    from pathlib import Path

#: The contract: other rooms and other people's scripts read these.
FIELDS = {
    "schema": str, "engine": str, "verdict": dict, "valid": bool, "doubts": list, "notes": list,
    "incomplete": list, "attempts": dict, "rates_per_s": dict, "latency_ns": dict, "hops": list,
    "connections": dict, "backends": dict, "cpu": dict, "memory": dict, "phases": list,
    "connect_cost": dict, "counters": dict, "sysctls": dict, "thresholds": list, "name": str,
    "scenario": dict, "variant": str, "seed": int, "environment": dict,
}  # fmt: skip


def mixed() -> RunBuilder:
    """Ten connections: six ok, two failed, one open, one stopped."""
    made = scenario(seed=5, thresholds=["failed == 2", "ok > 6"], backends={"count": 2})
    run = RunBuilder(scenario=made).planned([i * 100 * MS for i in range(10)]).started()
    for row in range(6):
        run.ok(row)
    run.failed(6, Call.RECV, errno.ECONNRESET).refusal(6, Call.CONNECT, errno.EADDRNOTAVAIL)
    run.failed(7, Call.RECV, Ending.EOF)
    run.outcome(8, Outcome.OPEN, sent_ns=800 * MS, connected_ns=801 * MS)
    run.outcome(9, Outcome.NOT_SENT_STOPPED)
    run.dial(600 * MS, error=errno.EADDRNOTAVAIL)
    run.sample(0, {"balancer-backend": hop_sample(100, established=1)})
    run.event("sysctls", 0, values={"net.ipv4.tcp_tw_reuse": "1"})
    return run.lease(0, 40_001).lease(1, 40_002)


def test_every_field_of_the_contract_is_there(tmp_path: Path) -> None:
    summary = summarize(mixed().run(tmp_path))
    assert {name: type(summary[name]) for name in FIELDS} == FIELDS
    assert summary["schema"] == "portchurn.summary/1"
    assert set(summary["verdict"]) == {"code", "hop", "sentence", "remedies", "evidence"}
    assert set(summary["hops"][0]) >= {
        "name", "sources", "destinations", "budget", "in_use_peak", "established_peak",
        "time_wait_peak", "distinct_ports", "exhausted_at_s",
    }  # fmt: skip
    assert set(summary["latency_ns"]) == {"connect", "response", "service", "lag"}


def test_the_numbers_of_a_small_run_by_hand(tmp_path: Path) -> None:
    summary = summarize(mixed().run(tmp_path))
    assert summary["attempts"] == {
        "planned": 10,
        "sent": 9,
        "ok": 6,
        "failed": 2,
        "open_at_end": 1,
        "not_sent": {"stopped": 1},
        "errors": {
            "balancer-backend/connect/EADDRNOTAVAIL": 1,
            "client-balancer/recv/EOF": 1,
        },
    }
    assert summary["attributed"] == 1
    assert summary["rates_per_s"] == {"asked": 10.0, "sent": 9.0, "ok": 6.0}
    assert summary["connections"] == {"peak_concurrent": 1, "opened": 7, "closed": 6}
    assert summary["latency_ns"]["service"]["max"] == 2 * MS
    assert [row["holds"] for row in summary["thresholds"]] == [True, False]
    assert summary["hops"][1]["exhausted_at_s"] == 0.6
    assert summary["backends"]["ports"] == {"0": [40_001], "1": [40_002]}
    assert summary["seed"] == 5
    assert summary["sysctls"] == {"net.ipv4.tcp_tw_reuse": "1"}
    assert summary["scenario"]["backends"]["count"] == 2


def test_it_is_plain_json_and_can_be_made_again_from_the_folder(tmp_path: Path) -> None:
    with mixed().write(tmp_path) as writer:
        summary = summarize(load_run(writer.folder))
        writer.finish(summary)
    assert read_summary(writer.folder) == json.loads(json.dumps(summary, allow_nan=False))
    assert summarize(load_run(writer.folder)) == summary


def test_a_lost_role_is_incomplete_and_not_valid(tmp_path: Path) -> None:
    summary = summarize(
        mixed().event("role-lost", S, role="client", index=0, code=-9).run(tmp_path)
    )
    assert summary["valid"] is False
    assert summary["incomplete"] == ["client 0 was lost (ended with -9): its share is missing"]


def test_counts_that_do_not_add_up_stop_everything(tmp_path: Path) -> None:
    broken = mixed().outcome(0, Outcome.OK)  # ended well, but was never sent
    with pytest.raises(InternalError, match="do not add up"):
        summarize(broken.run(tmp_path))


@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40, deadline=None
)
@given(st.data())
def test_every_run_has_a_summary_whose_counts_add_up(tmp_path: Path, data: st.DataObject) -> None:
    outcomes = data.draw(st.lists(st.sampled_from(list(Outcome)), max_size=15))
    calls = st.sampled_from([Call.SOCKET, Call.BIND, Call.CONNECT, Call.SEND, Call.RECV])
    errors = st.sampled_from(
        [errno.EADDRNOTAVAIL, errno.EADDRINUSE, errno.ECONNREFUSED, errno.EMFILE, *Ending]
    )
    driver = data.draw(st.sampled_from(["own", "none"]))
    run = RunBuilder(scenario=scenario(balancer={"driver": driver}))
    run.planned([i * MS for i in range(len(outcomes))])
    if data.draw(st.booleans()):
        run.started()
    for row, outcome in enumerate(outcomes):
        if outcome is Outcome.OK:
            run.ok(row)
        elif outcome is Outcome.FAILED:
            run.failed(row, data.draw(calls), data.draw(errors))
            if data.draw(st.booleans()):
                run.refusal(row, data.draw(calls), data.draw(errors))
        else:
            run.outcome(row, outcome, sent_ns=row if outcome is Outcome.OPEN else -1)
    summary: dict[str, Any] = summarize(run.run(tmp_path))
    counts = summary["attempts"]
    assert counts["planned"] == len(outcomes)
    assert counts["planned"] == counts["sent"] + sum(counts["not_sent"].values())
    assert counts["sent"] == counts["ok"] + counts["failed"] + counts["open_at_end"]
    assert sum(counts["errors"].values()) == counts["failed"]
    json.dumps(summary, allow_nan=False)
