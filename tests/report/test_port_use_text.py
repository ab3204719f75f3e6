"""The lines on ports and picks: one for each hop, one for the backends, none of nothing."""

from __future__ import annotations

from simulator.report.port_use_text import port_use_lines

USE = {
    "connections": 3000,
    "unknown": 0,
    "ports": 1000,
    "distinct": 998,
    "outside": 0,
    "jain": 0.9871,
    "dispersion": 0.5,
    "returns": 2000,
    "reuse_connections": {"min": 500.0, "median": 990.0},
    "reuse_s": {"min": 0.5, "median": 0.532},
}
BACKENDS = {
    "count": 3,
    "picks": {"0": 10, "1": 12},
    "picks_ideal": 22 / 3,
    "jain": 0.66,
    "picks_dispersion": 5.6,
}


def test_each_hop_has_a_line() -> None:
    (line,) = port_use_lines({"hops": [{"name": "balancer-backend", "port_use": USE}]})
    assert line == (
        "balancer-backend  998 of 1,000 ports, unevenness 0.50; a tuple came back after "
        "990 connections (532ms), soonest 500 connections (500ms)"
    )


def test_what_did_not_come_back_or_came_from_elsewhere_is_said() -> None:
    use = USE | {"reuse_connections": None, "reuse_s": None, "outside": 7}
    (line,) = port_use_lines({"hops": [{"name": "client-backend", "port_use": use}]})
    assert line.endswith("7 connections from other ports; no tuple came back")


def test_ports_that_only_the_kernel_knows_are_not_made_up() -> None:
    hop = {
        "name": "balancer-backend",
        "distinct_ports": 990,
        "port_use": USE | {"connections": 0, "unknown": 3000},
    }
    (line,) = port_use_lines({"hops": [hop]})
    assert line == ("balancer-backend  990 of 1,000 ports were seen; which, only the kernel knows")


def test_picks_stand_beside_their_ideal() -> None:
    (line,) = port_use_lines({"backends": BACKENDS})
    assert line == (
        "picks             0 to 12 for each backend, ideal 7.3, unevenness 5.60, Jain 0.660"
    )  # the third was never picked


def test_nothing_known_is_no_line() -> None:
    assert port_use_lines({}) == []
    assert (
        port_use_lines({"hops": [{"name": "x"}], "backends": {"count": 1, "picks": {"0": 1}}}) == []
    )
    assert port_use_lines({"hops": [{"name": "x", "port_use": USE | {"connections": 0}}]}) == []
    assert port_use_lines({"hops": "no list", "backends": {"count": 2, "picks": "none"}}) == []
