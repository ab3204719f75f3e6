"""Each cause is provoked for real, and the verdict names it."""

from __future__ import annotations

from textwrap import dedent
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.command import run_json, write_scenario

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.namespace, pytest.mark.slow]

#: name -> (scenario, expected code, expected hop, words the sentence must hold)
CAUSES: dict[str, tuple[str, str, str | None, tuple[str, ...]]] = {
    "nothing": (
        """
        backends: {count: 2, ports: random, range: 20000-29999}
        traffic: [{name: a, for: 2s, arrivals: {constant: 300/s}}]
        """,
        "ok",
        None,
        (),
    ),
    "balancer-time-wait": (
        """
        kernel: {port_range: 50000-50199, time_wait: 500ms}
        backends: {count: 1, ports: random, range: 20000-29999}
        traffic: [{name: a, for: 3s, arrivals: {constant: 800/s}}]
        """,
        "balancer-source-ports",
        "balancer-backend",
        ("TIME_WAIT",),
    ),
    "balancer-held": (
        """
        kernel: {port_range: 50000-50199, time_wait: 60s}
        backends: {count: 1, ports: random, range: 20000-29999}
        traffic: [{name: a, for: 2s, hold: {connections: 300, rate: 400/s}}]
        """,
        "balancer-source-ports",
        "balancer-backend",
        ("established",),
    ),
    "reserved-range": (
        """
        kernel: {port_range: 50000-50199, time_wait: 60s, reserved_ports: [50050-50199]}
        backends: {count: 1, ports: random, range: 20000-29999}
        traffic: [{name: a, for: 1s, hold: {connections: 100, rate: 200/s}}]
        """,
        "balancer-source-ports",
        "balancer-backend",
        ("50 tuples", "150 of the ports 50000-50199 are reserved"),
    ),
    "odd-range": (
        """
        kernel: {port_range: 50000-50050, time_wait: 60s}
        backends: {count: 1, ports: random, range: 20000-29999}
        traffic: [{name: a, for: 1s, hold: {connections: 100, rate: 200/s}}]
        """,
        "balancer-source-ports",
        "balancer-backend",
        ("51", "an odd number of ports"),
    ),
    "client-time-wait": (
        """
        kernel: {port_range: 50000-50199, time_wait: 500ms}
        backends: {count: 1, ports: random, range: 20000-29999}
        balancer: {driver: none}
        clients: {source: {addresses: 1, ports: kernel}}
        traffic: [{name: a, for: 3s, arrivals: {constant: 800/s}}]
        """,
        "client-source-ports",
        "client-backend",
        ("TIME_WAIT",),
    ),
    "client-held": (
        """
        kernel: {port_range: 50000-50199, time_wait: 60s}
        backends: {count: 4, ports: random, range: 20000-29999}
        clients: {source: {addresses: 1, ports: kernel}}
        traffic: [{name: a, for: 2s, hold: {connections: 300, rate: 400/s}}]
        """,
        "client-source-ports",
        "client-balancer",
        ("established",),
    ),
    "bind-conflict": (
        """
        kernel: {port_range: 50000-50199, time_wait: 60s}
        backends: {count: 4, ports: random, range: 20000-29999}
        balancer: {source: {addresses: 1, ports: early-bind}, retries: 0}
        traffic: [{name: a, for: 2s, hold: {connections: 300, rate: 400/s}}]
        """,
        "bind-conflict",
        "balancer-backend",
        ("EADDRINUSE",),
    ),
    "backend-refused": (
        """
        backends: {count: 2, ports: random, range: 20000-29999, refusing: 2}
        traffic: [{name: a, for: 2s, arrivals: {constant: 200/s}}]
        """,
        "backend-refused",
        "balancer-backend",
        ("ECONNREFUSED",),
    ),
    "accept-queue": (
        """
        kernel: {somaxconn: 1}
        backends: {count: 1, ports: random, range: 20000-29999, backlog: 1, accept_every: 100ms}
        balancer: {connect_timeout: 300ms, retries: 0}
        clients: {timeout: 2s}
        traffic: [{name: a, for: 3s, arrivals: {constant: 100/s}}]
        """,
        "accept-queue",
        "balancer-backend",
        ("accept queue",),
    ),
    "descriptors": (
        """
        backends: {count: 1, ports: random, range: 20000-29999}
        balancer: {descriptors: 100}
        clients: {timeout: 2s}
        traffic: [{name: a, for: 3s, hold: {connections: 200, rate: 200/s}}]
        """,
        "descriptors",
        None,
        ("balancer", "EMFILE"),
    ),
    "backend-service": (
        """
        backends: {count: 2, ports: random, range: 20000-29999, service_time: 3s}
        clients: {timeout: 300ms}
        traffic: [{name: a, for: 1500ms, arrivals: {constant: 100/s}}]
        """,
        "backend-slow",
        "client-balancer",
        ("did not answer", "TIMEOUT"),
    ),
    "backend-queue": (
        """
        backends: {count: 1, ports: random, range: 20000-29999, accept_every: 100ms}
        clients: {timeout: 300ms}
        traffic: [{name: a, for: 1500ms, arrivals: {constant: 100/s}}]
        grace: 500ms
        """,
        "backend-slow",
        "client-balancer",
        ("accept queues", "TIMEOUT"),
    ),
    "idle-timeout": (
        """
        backends: {count: 2, ports: random, range: 20000-29999}
        balancer: {idle_timeout: 300ms}
        traffic: [{name: a, for: 1s, arrivals: {constant: 50/s}, requests: 2, lifetime: 2s}]
        """,
        "idle-timeout",
        "client-balancer",
        ("balancer.idle_timeout is 300ms", "EOF"),
    ),
    "backend-churn": (
        """
        backends:
          {count: 4, ports: random, range: 20000-29999, service_time: 20ms,
           churn: {leave: crash, away: 300ms, at: [{time: 500ms, backends: 2}, {time: 1s}]}}
        balancer: {retries: 3, learns_after: 50ms}
        traffic: [{name: a, for: 1500ms, arrivals: {constant: 400/s}}]
        """,
        "backend-churn",
        "client-balancer",
        ("cut as a backend left", "ECONNRESET"),
    ),
    "half-closed": (
        """
        kernel: {port_range: 50000-50199, time_wait: 500ms}
        backends: {count: 1, ports: random, range: 20000-29999, accept_every: 100ms}
        balancer: {driver: none}
        clients: {source: {addresses: 1, ports: kernel}}
        traffic: [{name: a, for: 2s, arrivals: {constant: 300/s}, requests: 0, lifetime: 10ms}]
        grace: 500ms
        """,
        "client-source-ports",
        "client-backend",
        ("only one side has closed", "FIN_WAIT"),
    ),
    "generator": (
        """
        backends: {count: 1, ports: random, range: 20000-29999}
        balancer: {driver: none}
        traffic: [{name: a, for: 2s, arrivals: {constant: 60000/s}}]
        grace: 500ms
        """,
        "generator",
        None,
        (),
    ),
}


def provoke(tmp_path: Path, name: str) -> tuple[int, dict[str, Any]]:
    text = f"title: {name}\nseed: 4\n{dedent(CAUSES[name][0])}"
    scenario = write_scenario(tmp_path / f"{name}.yaml", text)
    code, (summary,) = run_json(scenario, "--results", tmp_path / "results")
    return code, summary


@pytest.mark.parametrize("name", CAUSES)
def test_verdict_names_the_cause_that_was_provoked(tmp_path: Path, name: str) -> None:
    code, summary = provoke(tmp_path, name)
    _, verdict_code, hop, words = CAUSES[name]
    verdict = summary["verdict"]
    assert verdict["code"] == verdict_code, verdict
    if hop is not None:
        assert verdict["hop"] == hop
    for word in words:
        assert word in verdict["sentence"], verdict["sentence"]
    if verdict_code == "generator":
        assert code == 5, summary["doubts"]
        assert not summary["valid"]
    elif verdict_code != "ok":
        assert 2 <= len(verdict["remedies"]) <= 3
        assert all(any(char.isdigit() for char in text) for text in verdict["remedies"][:1])


#: code of the doubt -> (scenario, words its message must hold)
DOUBTS: dict[str, tuple[str, str]] = {
    "half-closed": (
        """
        backends: {count: 1, ports: random, range: 20000-29999, accept_every: 100ms}
        balancer: {driver: none}
        traffic: [{name: a, for: 2s, arrivals: {constant: 200/s}, requests: 0, lifetime: 10ms}]
        grace: 500ms
        """,
        "client-backend were closed by one side only",
    ),
    "time-wait-overflow": (
        """
        kernel: {sysctls: {net.ipv4.tcp_max_tw_buckets: 10}}
        backends: {count: 1, ports: random, range: 20000-29999}
        traffic: [{name: a, for: 1s, arrivals: {constant: 200/s}}]
        """,
        "closed connections got no TIME_WAIT",
    ),
}


@pytest.mark.parametrize("code", DOUBTS)
def test_doubt_is_provoked_and_leaves_the_numbers_standing(tmp_path: Path, code: str) -> None:
    text, words = DOUBTS[code]
    scenario = write_scenario(tmp_path / "doubt.yaml", f"title: {code}\nseed: 4\n{dedent(text)}")
    ended, (summary,) = run_json(scenario, "--results", tmp_path / "results")
    (message,) = [one["message"] for one in summary["doubts"] if one["code"] == code]
    assert words in message
    assert ended == 0
    assert summary["verdict"]["code"] == "ok"


@pytest.mark.parametrize(("close", "side"), [("client", "connect"), ("backend", "accept")])
def test_the_side_that_closed_first_is_the_one_that_waits(
    tmp_path: Path, close: str, side: str
) -> None:
    text = (
        f"title: side\nbalancer: {{close: {close}}}\n"
        "backends: {count: 1, ports: random, range: 20000-29999}\n"
        "traffic: [{name: a, for: 1s, arrivals: {constant: 200/s}}]\n"
    )
    scenario = write_scenario(tmp_path / "side.yaml", text)
    _, (summary,) = run_json(scenario, "--results", tmp_path / "results")
    (hop,) = [one for one in summary["hops"] if one["name"] == "balancer-backend"]
    assert hop["time_wait_side"] == side
