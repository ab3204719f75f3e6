"""`portchurn serve`: what others' clients and servers say of the relay, and a clean end."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import signal
import subprocess
import sys
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from simulator.cli.serve import parse_servers
from simulator.errors import UsageError
from tests.support.command import portchurn

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

SCENARIO = """\
title: somebody else's client
backends: {count: 2}
balancer: {policy: least-connections}
traffic:
  - {name: none, for: 1s, arrivals: {constant: 1/s}}
"""
needs_nginx = pytest.mark.skipif(
    shutil.which("nginx") is None, reason="nginx is missing; on Debian: apt-get install nginx-light"
)


@pytest.fixture
def scenario(tmp_path: Path) -> Path:
    path = tmp_path / "serve.yaml"
    path.write_text(SCENARIO)
    return path


class Served:
    """A `portchurn serve` under way."""

    def __init__(self, *arguments: str | Path) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "simulator", "serve", *map(str, arguments)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, self.process.communicate()[1]
        self.endpoints: dict[str, Any] = json.loads(line)

    @property
    def front(self) -> tuple[str, int]:
        return (self.endpoints["front"]["address"], self.endpoints["front"]["port"])

    def end(self) -> dict[str, Any]:
        """Ctrl-C; what its first worker counted."""
        self.process.send_signal(signal.SIGINT)
        out, err = self.process.communicate(timeout=20)
        assert (self.process.returncode, out) == (0, "")
        return dict(json.loads(err)["balancer 0"])


@contextmanager
def served(*arguments: str | Path) -> Iterator[Served]:
    serving = Served(*arguments)
    try:
        yield serving
    finally:
        if serving.process.poll() is None:
            serving.process.kill()
            serving.process.communicate()


@asynccontextmanager
async def shouters(count: int) -> AsyncIterator[list[int]]:
    """Servers of Python's own that answer in capitals until the client ends; their ports."""

    async def shout(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            writer.write(data.upper())
            await writer.drain()
        writer.close()
        await writer.wait_closed()

    servers = [await asyncio.start_server(shout, "127.0.0.1", 0) for _ in range(count)]
    try:
        yield [server.sockets[0].getsockname()[1] for server in servers]
    finally:
        for server in servers:
            server.close()
            await server.wait_closed()


async def exchange(front: tuple[str, int], text: bytes) -> bytes:
    reader, writer = await asyncio.open_connection(*front)
    writer.write(text)
    writer.write_eof()
    answer = await reader.read()
    writer.close()
    await writer.wait_closed()
    return answer


@pytest.mark.usefixtures("assert_clean")
async def test_it_balances_onto_servers_that_run_already(scenario: Path) -> None:
    async with shouters(2) as ports:
        to = ",".join(f"127.0.0.1:{port}" for port in ports)
        serving = await asyncio.to_thread(Served, scenario, "--to", to)
        try:
            async with asyncio.timeout(20), asyncio.TaskGroup() as group:
                asked = [
                    group.create_task(exchange(serving.front, f"text {n} ".encode() * 1000))
                    for n in range(40)
                ]
            for number, task in enumerate(asked):
                assert task.result() == f"TEXT {number} ".encode() * 1000
        finally:
            counted = await asyncio.to_thread(serving.end)
    assert serving.front[0] == "127.0.0.1"
    assert [one["port"] for one in serving.endpoints["backends"]] == ports
    assert counted["accepted"] == sum(counted["picks"].values()) == 40
    assert set(counted["picks"]) == {"0", "1"}
    assert (counted["refused"], counted["active"], counted["dial_errors"]) == (0, 0, {})


@pytest.mark.usefixtures("assert_clean")
@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGKILL])
def test_nothing_is_left_on_the_host_however_it_ends(scenario: Path, end: int) -> None:
    with served(scenario, "--host-network", "--set", "balancer.workers=2") as serving:
        assert len(serving.endpoints["pids"]) == 3
        assert len(serving.endpoints["backends"]) == 2
        serving.process.send_signal(end)
        serving.process.communicate(timeout=20)
    if end == signal.SIGKILL:
        assert portchurn("clean").code == 0  # its folder, which a killed process cannot remove


@pytest.mark.namespace
def test_in_a_namespace_the_front_is_reached_from_inside(scenario: Path) -> None:
    with served(scenario) as serving:
        address, port = serving.front
        knock = f"import socket; socket.create_connection(({address!r}, {port})).close()"
        python = [sys.executable, "-I", "-c", knock]
        if shutil.which("nsenter"):
            subprocess.run([*serving.endpoints["enter"], *python], check=True, timeout=20)
        outside = subprocess.run(python, capture_output=True, text=True, check=False, timeout=20)
        assert "ConnectionRefusedError" in outside.stderr, "it is not on the host"
        counted = serving.end()
    assert counted["accepted"] == (1 if shutil.which("nsenter") else 0)


@pytest.fixture
def nginx(tmp_path: Path) -> Iterator[str]:
    """Two ports of an nginx of our own that answers each request at once: the value of --to."""
    ports = []
    import socket

    holders = []
    for _ in range(2):
        # SO_REUSEPORT, as nginx is told to use too: taken by binding, and kept.
        holder = socket.socket()
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        holder.bind(("127.0.0.1", 0))
        holders.append(holder)
        ports.append(holder.getsockname()[1])
    listens = " ".join(f"listen 127.0.0.1:{port} reuseport;" for port in ports)
    (tmp_path / "nginx.conf").write_text(
        f"daemon off; pid {tmp_path}/pid; error_log stderr; master_process off;\n"
        "events { worker_connections 2000; }\n"
        f"http {{ access_log off; keepalive_requests 100000; client_body_temp_path {tmp_path};\n"
        f"proxy_temp_path {tmp_path}; fastcgi_temp_path {tmp_path}; uwsgi_temp_path {tmp_path};\n"
        f"scgi_temp_path {tmp_path};\n"
        f'server {{ {listens} location / {{ return 200 "hello\\n"; }} }} }}\n'
    )
    process = subprocess.Popen(
        ["nginx", "-c", str(tmp_path / "nginx.conf"), "-p", str(tmp_path)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        _wait_for_listeners(ports, process)
        yield ",".join(f"127.0.0.1:{port}" for port in ports)
    finally:
        process.terminate()
        process.communicate(timeout=10)
        for holder in holders:
            holder.close()


def _wait_for_listeners(ports: list[int], process: subprocess.Popen[str]) -> None:
    import socket
    from time import monotonic, sleep

    deadline = monotonic() + 10
    for port in ports:
        while True:
            with socket.socket() as sock:
                if not sock.connect_ex(("127.0.0.1", port)):
                    break
            if process.poll() is not None:
                pytest.fail(f"nginx ended: {process.communicate()[1]}")
            assert monotonic() < deadline, "nginx does not listen"
            sleep(0.01)  # only between two looks


def _run(*command: str) -> str:
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=60, stdin=subprocess.DEVNULL
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@needs_nginx
@pytest.mark.skipif(
    shutil.which("ab") is None, reason="ab is missing; on Debian: apt-get install apache2-utils"
)
@pytest.mark.parametrize("keep_alive", [False, True])
def test_ab_loses_nothing_through_it(scenario: Path, nginx: str, keep_alive: bool) -> None:
    with served(scenario, "--to", nginx) as serving:
        address, port = serving.front
        flags = ["-k"] if keep_alive else []
        said = _run("ab", "-q", *flags, "-n", "3000", "-c", "50", f"http://{address}:{port}/")
        counted = serving.end()
    assert re.search(r"Complete requests:\s+3000\b", said)
    assert re.search(r"Failed requests:\s+0\b", said)
    assert "Non-2xx" not in said
    assert re.search(r"HTML transferred:\s+18000 bytes", said), "3000 times six bytes"
    # ab opens a connection or two more than it uses when it reaches its end.
    assert counted["accepted"] >= (50 if keep_alive else 3000)
    assert (counted["refused"], counted["dial_errors"], counted["accept_errors"]) == (0, {}, {})


@needs_nginx
@pytest.mark.skipif(
    shutil.which("wrk") is None, reason="wrk is missing; on Debian: apt-get install wrk"
)
@pytest.mark.parametrize("keep_alive", [False, True])
def test_wrk_sees_no_error_through_it(scenario: Path, nginx: str, keep_alive: bool) -> None:
    with served(scenario, "--to", nginx) as serving:
        address, port = serving.front
        header = [] if keep_alive else ["-H", "Connection: close"]
        said = _run("wrk", "-t1", "-c20", "-d1s", *header, f"http://{address}:{port}/")
        counted = serving.end()
    requests = re.search(r"(\d+) requests in", said)
    assert requests
    assert int(requests[1]) > 100
    assert "Socket errors" not in said
    assert "Non-2xx" not in said
    assert counted["accepted"] >= (20 if keep_alive else int(requests[1]))
    assert (counted["refused"], counted["dial_errors"]) == (0, {})


def test_servers_are_endpoints_of_the_loopback() -> None:
    assert parse_servers("127.0.0.1:9001, 127.1.2.3:65535") == (
        ("127.0.0.1", 9001),
        ("127.1.2.3", 65535),
    )


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("10.0.0.1:80", "not of this host's loopback"),
        ("8.8.8.8:53", "not of this host's loopback"),
        ("0.0.0.0:80", "not of this host's loopback"),
        ("localhost:80", "is not ADDRESS:PORT"),
        ("127.0.0.1", "is not ADDRESS:PORT"),
        ("127.0.0.1:0", "port from 1"),
        ("127.0.0.1:65536", "port from 1"),
        ("127.0.0.1:８０", "port from 1"),
        ("127.0.0.1:80,", "is not ADDRESS:PORT"),
        ("", "is not ADDRESS:PORT"),
    ],
)
def test_anything_else_is_refused(text: str, why: str) -> None:
    with pytest.raises(UsageError, match=why):
        parse_servers(text)


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["--to", "192.168.1.1:80"], "loopback"),
        (["--port", "8000"], "--host-network"),
        (["--host-network", "--port", "80"], "at least 1024"),
        (["--set", "balancer.driver=none"], "nothing to serve"),
        (["--set", "balancer.driver=haproxy"], "our own balancer"),
        (["--set", "balancer.driver=resolver", "--set", "backends.kind=dns"], "our own balancer"),
    ],
)
def test_what_cannot_be_served_is_said(scenario: Path, arguments: list[str], why: str) -> None:
    changes = ["--set", "balancer.policy=round-robin"]
    done = portchurn("serve", scenario, *changes, *arguments)
    assert done.code == 2
    assert why in done.err
    assert not done.out


def test_what_only_the_model_has_is_not_served_without_it(scenario: Path) -> None:
    done = portchurn("serve", scenario, "--set", "nat.preset=ananta")
    assert done.code == 3
    assert "nat: ananta" in done.err
