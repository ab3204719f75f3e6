"""`portchurn watch` as a user calls it, in a namespace with real connections."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from typing import Any

import pytest
from click.testing import CliRunner

from simulator.cli.watch import command
from tests.support.command import portchurn
from tests.support.namespace import in_namespace, write_sysctl


def busy(*arguments: str) -> tuple[int, str]:
    """The verb's exit code and output beside 40 connections out of 100 ports."""
    write_sysctl("ip_local_port_range", "40000 40099")
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(socket.socket())
        server.bind(("127.0.0.1", 7_000))
        server.listen(200)
        for _ in range(40):
            stack.enter_context(socket.create_connection(("127.0.0.1", 7_000)))
        result = CliRunner().invoke(command, arguments)
        return result.exit_code, result.output


@pytest.mark.namespace
def test_one_look_tells_the_budget_and_what_is_in_use() -> None:
    code, text = in_namespace(busy, "--once", "--every", "100ms")
    lines = text.splitlines()
    assert code == 0
    assert lines[0].startswith("40000-40099 has 100 ports: 100 tuples toward each destination")
    assert "toward 127.0.0.1:7000, has 40 % in use" in lines[1]
    assert "40 of 100 tuples (40 %; 40 established, 0 TIME_WAIT), 0/s new" in lines[2]
    assert len(lines) == 3


@pytest.mark.namespace
def test_json_is_one_object_a_look() -> None:
    code, text = in_namespace(busy, "--every", "100ms", "--for", "300ms", "--output", "json")
    looks: list[dict[str, Any]] = [json.loads(line) for line in text.splitlines()]
    assert code == 0
    assert len(looks) == 4
    assert [look["budget"] for look in looks] == [100] * 4
    assert looks[0]["since_s"] == 0
    assert looks[3]["busiest"][0]["established"] == 40
    assert looks[3]["busiest"][0]["wall_s"] is None


def test_metrics_are_served_until_it_is_stopped() -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "simulator", "watch", "--prometheus", "127.0.0.1:0"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    try:
        url = process.stderr.readline().split()[-1]
        with urllib.request.urlopen(url, timeout=10) as answer:
            page = answer.read().decode()
            kind = answer.headers["Content-Type"]
        with pytest.raises(urllib.error.HTTPError, match="404") as missing:
            urllib.request.urlopen(url.replace("metrics", "other"), timeout=10)
        missing.value.close()
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0
    finally:
        process.kill()
        process.wait()
        process.stderr.close()
    assert kind == "text/plain; version=0.0.4; charset=utf-8"
    assert "\nportchurn_tuple_budget " in page


def test_on_a_terminal_the_picture_is_redrawn() -> None:
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "simulator", "watch", "--every", "100ms", "--for", "200ms"],
        stdout=theirs,
        env={**os.environ, "TERM": "xterm"},
    )
    os.close(theirs)
    shown = b""
    with contextlib.suppress(OSError):  # EIO: the other end is closed
        while part := os.read(ours, 65_536):
            shown += part
    os.close(ours)
    assert process.wait(10) == 0
    assert b"\x1b[" in shown
    assert b"sockets, this look took" in shown


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--every", "soon"], "--every soon is not a time"),
        (["--every", "1ms"], "--every is shorter than 100ms"),
        (["--for", "x"], "--for x is not a time"),
        (["--prometheus", "0.0.0.0:9100"], "0.0.0.0 is not of this host's loopback"),
        (["--prometheus", "9100"], "'9100' is not ADDRESS:PORT"),
        (["--prometheus", "127.0.0.1:http"], "has no port of 0-65535"),
    ],
)
def test_what_is_wrong_is_one_clear_line_and_exit_code_2(arguments: list[str], told: str) -> None:
    done = portchurn("watch", *arguments)
    assert done.code == 2
    assert told in done.err
    assert len(done.err.splitlines()) == 1


def test_an_endpoint_that_is_taken_is_refused() -> None:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        taken = f"127.0.0.1:{server.getsockname()[1]}"
        done = portchurn("watch", "--once", "--prometheus", taken)
    assert done.code == 3
    assert f"Cannot listen on {taken}" in done.err
