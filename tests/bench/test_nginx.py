"""nginx as a subject: it accepts our configuration, and says which version it is."""

from __future__ import annotations

import re
import subprocess
from typing import TYPE_CHECKING

import pytest

from simulator.bench import nginx

if TYPE_CHECKING:
    from pathlib import Path

FRONT = ("127.2.0.1", 4_100)
ENDPOINTS = [("127.3.0.1", 4_000), ("127.3.0.1", 4_001)]


@pytest.fixture
def binary() -> str:
    found = nginx.find()
    if found is None:
        pytest.skip("nginx with its stream module is not installed")
    return found


@pytest.mark.parametrize("half_close", [False, True])
def test_nginx_itself_finds_no_fault_with_the_configuration(
    binary: str, tmp_path: Path, half_close: bool
) -> None:
    path = tmp_path / "nginx.conf"
    path.write_text(nginx.configuration(tmp_path, FRONT, ENDPOINTS, 100, half_close=half_close))
    checked = subprocess.run(
        [binary, "-t", "-q", "-p", str(tmp_path), "-c", str(path)],
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    assert checked.returncode == 0, checked.stderr


def test_an_end_is_passed_on_only_where_that_was_asked_for(tmp_path: Path) -> None:
    for half_close in (False, True):
        text = nginx.configuration(tmp_path, FRONT, ENDPOINTS, 100, half_close=half_close)
        assert ("proxy_half_close on;" in text) == half_close


def test_its_version_is_its_own_word(binary: str) -> None:
    assert re.match(r"\d+\.\d+", nginx.version(binary))


def test_every_backend_is_in_the_configuration_once(tmp_path: Path) -> None:
    text = nginx.configuration(tmp_path, FRONT, ENDPOINTS, 100)
    servers = re.findall(r"^\s+server (\S+):(\d+);$", text, re.MULTILINE)
    assert [(address, int(port)) for address, port in servers] == ENDPOINTS
    assert "listen 127.2.0.1:4100 " in text
    assert "worker_connections 264;" in text, "two descriptors for each connection, and some more"
