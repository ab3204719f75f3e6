"""HAProxy as a subject: it accepts our configuration, and says which version it is."""

from __future__ import annotations

import re
import socket
import subprocess
from typing import TYPE_CHECKING

import pytest

from simulator.bench import haproxy

if TYPE_CHECKING:
    from pathlib import Path

ENDPOINTS = [("127.3.0.1", 4_000), ("127.3.0.1", 4_001)]


@pytest.fixture
def binary() -> str:
    found = haproxy.find()
    if found is None:
        pytest.skip("haproxy is not installed")
    return found


@pytest.mark.haproxy
def test_haproxy_itself_finds_no_fault_with_the_configuration(binary: str, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.set_inheritable(True)
        path = tmp_path / "haproxy.cfg"
        path.write_text(haproxy.configuration(listener.fileno(), ENDPOINTS, 1_000))
        checked = subprocess.run(
            [binary, "-c", "-q", "-f", str(path)],
            pass_fds=(listener.fileno(),),
            capture_output=True,
            text=True,
            timeout=20,
            check=False,
        )
    assert checked.returncode == 0, checked.stderr
    assert not checked.stderr


@pytest.mark.haproxy
def test_its_version_is_its_own_word(binary: str) -> None:
    assert re.match(r"\d+\.\d+", haproxy.version(binary))


def test_every_backend_is_in_the_configuration_once() -> None:
    text = haproxy.configuration(7, ENDPOINTS, 1_000)
    servers = re.findall(r"^\s+server s\d+ (\S+):(\d+)$", text, re.MULTILINE)
    assert [(address, int(port)) for address, port in servers] == ENDPOINTS
    assert "bind fd@7\n" in text
