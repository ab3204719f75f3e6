"""Thefts of listening ports: found in the events, costed, and told with the exact reservation."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING, Any

import pytest

from simulator.measure.stolen_ports import (
    find_thefts,
    listening_ports_in_range,
    reservation,
)
from simulator.measure.summary import summarize
from simulator.records import Call, Ending
from tests.support.runs import MS, RunBuilder, S, scenario

if TYPE_CHECKING:
    from pathlib import Path

TRAFFIC = [{"name": "a", "for": "4s", "arrivals": {"constant": "10/s"}}]
HELD = {"destination": "127.0.0.1:50001", "state": "time-wait", "sockets": 1}


def shared(ports: str = "50000-50001", lent: str = "50000-50199", **more: Any) -> dict[str, Any]:  # noqa: ANN401
    return {
        "kernel": {"port_range": lent, **more},
        "backends": {"count": 2, "address": "shared", "ports": "fixed", "range": ports},
        "traffic": TRAFFIC,
    }


def robbed() -> RunBuilder:
    """Backend 0 wants to be back at 1 s and is so at 3 s; ten connections a second are due."""
    run = RunBuilder(scenario=scenario(**shared())).started()
    run.planned([i * 100 * MS for i in range(40)])
    for row in range(40):
        run.ok(row)
    run.event("backend-left", S // 2, backend=0, how="crash", open=0)
    run.event("backend-waits", S, backend=0, address="127.0.0.1", port=50_000, holder=HELD)
    run.event("backend-waits", S + 50 * MS, backend=0)
    return run


def back(run: RunBuilder) -> RunBuilder:
    return run.event("backend-back", 3 * S, backend=0, address="127.0.0.1", port=50_000)


def test_to_wait_for_a_port_that_no_connection_holds_is_no_theft(tmp_path: Path) -> None:
    run = RunBuilder().planned([]).event("backend-waits", S, backend=0)
    assert find_thefts(run.run(tmp_path)) == []


@pytest.mark.parametrize(("is_back", "until_ns"), [(True, 3 * S), (False, 4 * S)])
def test_it_lasts_until_the_backend_is_back(
    tmp_path: Path, *, is_back: bool, until_ns: int
) -> None:
    (theft,) = find_thefts((back(robbed()) if is_back else robbed()).run(tmp_path))
    assert (theft.since_ns, theft.until_ns, theft.is_back) == (S, until_ns, is_back)
    assert (theft.endpoint, theft.toward) == ("127.0.0.1:50000", "127.0.0.1:50001")


def test_the_verdict_when_others_served_everybody(tmp_path: Path) -> None:
    summary = summarize(back(robbed()).run(tmp_path))
    verdict = summary["verdict"]
    assert (verdict["code"], verdict["hop"]) == ("listen-port-stolen", "balancer-backend")
    # 2 s at 10/s, over two backends
    assert verdict["sentence"] == (
        "Backend 0 could not listen on its own port again: while it was away, the kernel lent "
        "127.0.0.1:50000 to a connection toward 127.0.0.1:50001 (time-wait); back after 1.0 s, it "
        "waited 2.0 s, and 10 connections were others' to serve."
    )
    assert summary["backends"]["stolen"] == 1


def test_failures_while_it_waited_belong_to_it(tmp_path: Path) -> None:
    run = robbed()
    for row in (20, 25, 30):
        run.failed(row, Call.RECV, errno.ECONNRESET)
        run.refusal(row, Call.PICK, Ending.NO_BACKEND, backend=-1)
    run.failed(2, Call.RECV, Ending.PROTOCOL)
    verdict = summarize(run.run(tmp_path))["verdict"]
    assert verdict["code"] == "listen-port-stolen"
    assert verdict["evidence"]["failed"] == 3
    assert verdict["sentence"].endswith("7.5 % of connections failed (NO_BACKEND).")


@pytest.mark.parametrize(
    ("ports", "lent", "within"),
    [
        ("50000-50001", "50000-50199", "50000-50001"),
        ("49999-50001", "50000-50199", "50000-50000"),  # two backends, so 50001 is nobody's
        ("20000-20001", "50000-50199", None),
    ],
)
def test_only_ports_that_are_lent_need_a_reservation(
    ports: str, lent: str, within: str | None
) -> None:
    asked = scenario(**shared(ports, lent))
    found = listening_ports_in_range(asked)
    assert (None if found is None else str(found)) == within
    assert len(reservation(asked)) == (0 if within is None else 2)


def test_the_reservation_is_exact_and_says_what_it_costs() -> None:
    first, second = reservation(scenario(**shared()))
    assert "kernel.reserved_ports: [50000-50001]" in first
    assert "ip_local_reserved_ports=50000-50001" in first
    assert "200 -> 198 ports are lent" in first
    assert "2 -> 0 listening ports" in second


def test_where_listeners_have_no_fixed_port_nothing_can_be_reserved() -> None:
    assert reservation(scenario()) == []
