"""Proposals as people read them."""

from __future__ import annotations

import pytest

from simulator.preflight.inverse import COSTS, Change, Proposal, parse_goal
from simulator.preflight.predict import predict
from simulator.report.proposal_text import config_lines, proposals_text
from tests.support.scenarios import small

GOAL = parse_goal("failed < 1 %")


def change(kind: str, before: str = "before", after: str = "after") -> Change:
    return Change(kind=kind, part="balancer", before=before, after=after)


def test_each_is_told_with_its_flags_and_lines() -> None:
    one = Proposal(
        changes=(change("range", "ports 1-2", "ports 1024-65535"), change("addresses", "1", "2")),
        sets=("kernel.port_range=1024-65535", "traffic.0.requests={constant: 2}"),
        cost=3.0,
        forecast=predict(small()),
    )
    text = list(proposals_text(GOAL, [one]))
    assert text[0].startswith("To reach 'failed < 1 %', cheapest first")
    assert text[1] == "1. ports 1-2 -> ports 1024-65535 and 1 -> 2"
    assert text[2] == (
        "   0 of 10 connections fail; --set kernel.port_range=1024-65535 "
        "--set 'traffic.0.requests={constant: 2}'"
    )
    assert text[3] == '   sysctl   net.ipv4.ip_local_port_range = "1024 65535"'
    assert any("split_clients" in line for line in text)


def test_nothing_found_is_said() -> None:
    assert "Nothing reaches 'failed < 1 %'" in " ".join(proposals_text(GOAL, []))


@pytest.mark.parametrize("kind", COSTS)
def test_every_kind_of_change_has_its_lines(kind: str) -> None:
    for tool, line in config_lines(change(kind)):
        assert tool
        assert line


def test_numbers_reach_the_lines() -> None:
    lines = dict(config_lines(change("reuse", after="1,000 requests for each connection")))
    assert "keepalive_requests 1000;" in lines["nginx"]
    wait = config_lines(change("time_wait", after="TIME_WAIT of 1,250ms"))
    assert ("sysctl", "net.ipv4.tcp_tw_reuse_delay = 1250  (Linux 6.14)") in wait
    assert "nolinger" in dict(config_lines(change("close", after="by reset")))["haproxy"]
    assert "Connection: close" in dict(config_lines(change("close", after="by backend")))["backend"]
    assert "source 192.0.2.1:" in dict(config_lines(change("mode", after="userspace")))["haproxy"]
