"""Each kind has its classes, and what one kind alone needs is loaded for that kind alone."""

from __future__ import annotations

import subprocess
import sys

import pytest

from simulator.live.backend import BackendServers
from simulator.live.backend_service import ServiceServers
from simulator.live.client import LoadClient
from simulator.live.dns_backend import DnsServers
from simulator.live.dns_client import DnsClient, DnsTurnsClient
from simulator.live.echo import EchoClient, EchoServers, EchoTurnsClient
from simulator.live.http_backend import HttpServers
from simulator.live.http_client import HttpClient, HttpTurnsClient
from simulator.live.kinds import client_for, servers_for
from simulator.live.settings import BackendRole, ClientRole, SourceSettings
from simulator.live.turns import TurnsClient


def backend(speaks: str, **changes: int) -> BackendRole:
    return BackendRole(
        ids=(0,),
        addresses=("127.4.0.1",),
        allocator="kernel",
        first=0,
        last=0,
        speaks=speaks,
        concurrency=changes.get("concurrency", 0),
    )


def client(speaks: str) -> ClientRole:
    source = SourceSettings(
        addresses=("127.1.0.1",), mode="kernel", pick="random", first=1, last=2, seed=1
    )
    return ClientRole(
        workers=1,
        folder="",
        source=source,
        front=None,
        policy="round-robin",
        choices=2,
        close="client",
        timeout_ns=1,
        seed=1,
        speaks=speaks,
    )


def test_each_kind_has_its_servers() -> None:
    assert servers_for(backend("stream")) is BackendServers
    assert servers_for(backend("stream", concurrency=1)) is ServiceServers
    assert servers_for(backend("echo")) is EchoServers
    assert servers_for(backend("http")) is HttpServers
    assert servers_for(backend("dns")) is DnsServers


@pytest.mark.parametrize(
    ("speaks", "plain", "waiting"),
    [
        ("dns", DnsClient, DnsTurnsClient),
        ("stream", LoadClient, TurnsClient),
        ("echo", EchoClient, EchoTurnsClient),
        ("http", HttpClient, HttpTurnsClient),
    ],
)
def test_each_kind_has_its_clients(
    speaks: str, plain: type[LoadClient], waiting: type[LoadClient]
) -> None:
    assert client_for(client(speaks), waits=False) is plain
    assert client_for(client(speaks), waits=True) is waiting


@pytest.mark.parametrize(("speaks", "is_loaded"), [("stream", 0), ("echo", 0), ("http", 1)])
def test_aiohttp_is_loaded_for_http_alone(speaks: str, is_loaded: int) -> None:
    code = (
        "import sys, simulator.live.crew, simulator.live.client, simulator.cli\n"
        "from simulator.live.kinds import import_spoken\n"
        "from simulator.live.settings import BackendRole\n"
        "import_spoken([BackendRole(ids=(0,), addresses=('127.4.0.1',), allocator='kernel',"
        f" first=0, last=0, speaks={speaks!r})])\n"
        "sys.exit('aiohttp' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == is_loaded
