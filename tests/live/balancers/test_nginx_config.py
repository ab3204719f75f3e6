"""nginx's configuration, word for word, and nginx's own opinion of it."""

from __future__ import annotations

import re
import subprocess
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from simulator.kernel.peers import look_for
from simulator.live.balancers.nginx_config import configuration
from simulator.live.driver_settings import DriverRole
from simulator.scenario.driver import POLICIES

if TYPE_CHECKING:
    from pathlib import Path

ROLE = DriverRole(
    driver="nginx",
    binary="/usr/sbin/nginx",
    version="1.22.1",
    module="/usr/lib/nginx/modules/ngx_stream_module.so",
    front=("127.2.0.1", 8080),
    policy="round-robin",
    backends=2,
)
AT = {1: ("127.4.0.2", 20_001), 0: ("127.4.0.1", 20_000)}
PLAIN = """\
load_module /usr/lib/nginx/modules/ngx_stream_module.so;
daemon off;
worker_processes 1;
pid /pid;
error_log stderr notice;
events { worker_connections 19936; }
stream {
    log_format failed 'session $connection $remote_addr $remote_port $status $session_time';
    log_format ended '$upstream_addr $bytes_received $bytes_sent';
    map $status $is_failed { 200 0; default 1; }
    access_log /failures failed if=$is_failed;
    access_log /sessions ended buffer=4k flush=100ms;
    upstream backends {
        server 127.4.0.1:20000 max_fails=0;
        server 127.4.0.2:20001 max_fails=0;
    }
    server {
        listen 127.2.0.1:8080 backlog=4096;
        proxy_pass backends;
        proxy_connect_timeout 3000ms;
        proxy_timeout 60000ms;
        proxy_half_close on;
        proxy_buffer_size 65536;
        proxy_next_upstream on;
        proxy_next_upstream_tries 2;
    }
}
"""


def rendered(role: DriverRole, *, is_root: bool = False) -> str:
    return configuration(
        role,
        AT,
        pid="/pid",
        failures="/failures",
        sessions="/sessions",
        descriptors=20_000,
        is_root=is_root,
    )


def test_a_plain_relay_word_for_word() -> None:
    assert rendered(ROLE) == PLAIN


def test_without_retries_nobody_else_is_tried() -> None:
    assert "proxy_next_upstream off;" in rendered(replace(ROLE, retries=0))


def test_the_first_end_ends_both_where_half_closes_are_not_wanted() -> None:
    assert "proxy_half_close off;" in rendered(replace(ROLE, half_close=False))


def test_nobody_is_there_until_backends_are() -> None:
    text = configuration(ROLE, {}, pid="/p", failures="/f", sessions="/s", descriptors=1_000)
    assert re.findall(r"server 127\.4\S+ (\w+);", text) == ["down"]


def test_several_addresses_share_evenly() -> None:
    text = rendered(replace(ROLE, sources=("127.3.0.1", "127.3.0.2", "127.3.0.3")))
    assert re.findall(r"(\S+) (127\.3\.0\.\d);", text) == [
        ("33.33%", "127.3.0.1"),
        ("33.33%", "127.3.0.2"),
        ("*", "127.3.0.3"),
    ]
    assert "proxy_bind $source;" in text
    assert "proxy_bind 127.3.0.1;" in rendered(replace(ROLE, sources=("127.3.0.1",)))


@pytest.mark.nginx
@pytest.mark.parametrize("key", ["address", "connection"])
@pytest.mark.parametrize("policy", POLICIES["nginx"])
def test_nginx_finds_no_fault_with_any_policy(policy: str, key: str, tmp_path: Path) -> None:
    peer = look_for("nginx")
    if peer.missing:
        pytest.skip(peer.missing)
    role = replace(
        ROLE,
        module=peer.module,
        policy=policy,
        key=key,
        weights=(3, 1),
        sources=("127.3.0.1", "127.3.0.2"),
    )
    text = configuration(
        role,
        AT,
        pid=str(tmp_path / "pid"),
        failures=str(tmp_path / "failures"),
        sessions=str(tmp_path / "sessions"),
        descriptors=2_000,
    )
    path = tmp_path / "nginx.conf"
    path.write_text(text)
    checked = subprocess.run(
        [peer.binary, "-t", "-q", "-p", str(tmp_path), "-e", "stderr", "-c", str(path)],
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    assert checked.returncode == 0, checked.stderr
    assert not checked.stderr
