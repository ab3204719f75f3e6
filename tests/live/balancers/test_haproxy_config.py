"""HAProxy's configuration, word for word, and HAProxy's own opinion of it."""

from __future__ import annotations

import os
import re
import socket
import subprocess
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.kernel.peers import look_for
from simulator.live.balancers.haproxy_config import (
    backend_of,
    change_commands,
    configuration,
    most_connections,
    server_lines,
    server_name,
)
from simulator.live.driver_settings import DriverRole
from simulator.scenario.driver import POLICIES

if TYPE_CHECKING:
    from pathlib import Path

ROLE = DriverRole(
    driver="haproxy",
    binary="/usr/sbin/haproxy",
    version="2.6",
    front=("127.2.0.1", 8080),
    policy="round-robin",
    backends=2,
)
AT = {0: ("127.4.0.1", 20_000), 1: ("127.4.0.2", 20_001)}
PLAIN = """\
global
    nbthread 1
    maxconn 9898
    tune.bufsize 65536
    stats socket fd@8 level admin
    log fd@9 format raw local0

defaults
    mode tcp
    log global
    option dontlog-normal
    log-format "session %ci %cp %s %ts %rc %Tt %[bc_err]"
    timeout connect 3000ms
    timeout client 60000ms
    timeout server 60000ms
    retries 1
    option redispatch 1

frontend front
    bind fd@7
    backlog 4096
    default_backend backends

backend backends
    balance roundrobin
    server b0s0 127.4.0.1:20000
    server b1s0 127.4.0.2:20001
"""


def rendered(role: DriverRole) -> str:
    return configuration(role, AT, front=7, stats=8, log=9, descriptors=20_000)


def test_a_plain_relay_word_for_word() -> None:
    assert rendered(ROLE) == PLAIN


def test_several_addresses_are_several_servers_backends_in_turn() -> None:
    role = replace(ROLE, sources=("127.3.0.1", "127.3.0.2"), first=50_000, last=50_009)
    assert list(server_lines(role, {0: AT[0]})) == [
        "server b0s0 127.4.0.1:20000 source 127.3.0.1:50000-50009",
        "server b1s0 127.4.255.254:1 source 127.3.0.1:50000-50009 disabled",
        "server b0s1 127.4.0.1:20000 source 127.3.0.2:50000-50009",
        "server b1s1 127.4.255.254:1 source 127.3.0.2:50000-50009 disabled",
    ]


def test_moves_are_commands_for_each_server_of_a_backend() -> None:
    role = replace(ROLE, sources=("127.3.0.1", "127.3.0.2"))
    assert change_commands(role, {1: ("127.4.0.2", 30_000)}, [0]) == [
        "set server backends/b0s0 state maint",
        "set server backends/b0s1 state maint",
        "set server backends/b1s0 addr 127.4.0.2 port 30000",
        "set server backends/b1s0 state ready",
        "set server backends/b1s1 addr 127.4.0.2 port 30000",
        "set server backends/b1s1 state ready",
    ]


FULL = replace(
    ROLE,
    close="reset",
    weights=(3, 1),
    check_every_ms=200,
    check_timeout_ms=100,
    slow_start_ms=500,
    sources=("127.3.0.1",),
    workers=2,
    key="address",
)


@pytest.mark.haproxy
@pytest.mark.parametrize("policy", POLICIES["haproxy"])
def test_haproxy_finds_no_fault_with_any_policy(policy: str, tmp_path: Path) -> None:
    binary = look_for("haproxy").binary
    if not binary:
        pytest.skip("needs Debian's haproxy")
    role = replace(FULL, policy=policy, slow_start_ms=0 if policy == "source-hash" else 500)
    api = socket.socket(socket.AF_UNIX)
    with socket.create_server(("127.0.0.1", 0)) as front, api:
        api.bind(f"\0portchurn-test-{os.getpid()}-{policy}")
        api.listen(1)
        text = configuration(
            role, AT, front=front.fileno(), stats=api.fileno(), log=1, descriptors=2_000
        )
        path = tmp_path / "haproxy.cfg"
        path.write_text(text)
        checked = subprocess.run(
            [binary, "-c", "-f", str(path)],
            pass_fds=(front.fileno(), api.fileno()),
            capture_output=True,
            text=True,
            timeout=20,
            check=False,
        )
    assert checked.returncode == 0, checked.stderr
    assert not re.search("WARNING|ALERT", checked.stderr), checked.stderr


@given(st.integers(0, 16_383), st.integers(0, 4_095))
def test_a_servers_name_tells_its_backend(backend: int, source: int) -> None:
    assert backend_of(server_name(backend, source)) == backend


@given(st.text(max_size=12))
def test_other_names_are_no_backends(name: str) -> None:
    assert backend_of(name) == -1 or re.fullmatch(r"b\d+s\d+", name)


def test_connections_and_checks_fit_the_descriptors() -> None:
    assert 2 * most_connections(ROLE, 20_000) + 2 * ROLE.backends <= 20_000
    assert most_connections(ROLE, 10) == 1
