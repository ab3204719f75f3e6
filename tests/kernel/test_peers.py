"""Programs of others: found with their own version, or missed with the package that has them."""

from __future__ import annotations

import re
import shutil
import stat
from typing import TYPE_CHECKING

import pytest

from simulator.kernel import peers

if TYPE_CHECKING:
    from pathlib import Path

SBIN = "/usr/sbin:/usr/bin"


@pytest.mark.haproxy
@pytest.mark.skipif(shutil.which("haproxy", path=SBIN) is None, reason="needs Debian's haproxy")
def test_haproxy_is_found_with_its_version() -> None:
    found = peers.look_for("haproxy")
    assert (found.missing, found.module) == ("", "")
    assert re.match(r"\d+\.\d+", found.version)


@pytest.mark.nginx
@pytest.mark.skipif(shutil.which("nginx", path=SBIN) is None, reason="needs Debian's nginx")
def test_nginx_is_found_with_the_module_that_it_needs() -> None:
    found = peers.look_for("nginx")
    assert re.match(r"\d+\.\d+", found.version)
    assert bool(found.missing) != bool(found.module)


@pytest.mark.parametrize(("name", "package"), peers.PACKAGES.items())
def test_what_is_missing_is_named_with_its_package(
    name: str, package: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    monkeypatch.setattr(peers, "_PLACES", "/nonexistent")
    found = peers.look_for(name)
    assert found.binary == ""
    assert f"apt-get install {package}" in found.missing


def test_an_nginx_without_streams_is_no_driver(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "nginx"
    said = f"nginx version: nginx/1.9.9\\nconfigure arguments: --modules-path={tmp_path}\\n"
    program.write_text(f"#!/bin/sh\nprintf '{said}' >&2\n")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(peers, "_MODULES", ())
    found = peers.look_for("nginx")
    assert found.version == "1.9.9"
    assert "libnginx-mod-stream" in found.missing
    (tmp_path / "ngx_stream_module.so").touch()
    assert peers.look_for("nginx").missing == ""


@pytest.mark.parametrize(
    ("version", "passes"),
    [
        *(("1.18.0", False), ("1.21.3", False), ("1.9.15", False)),
        *(("1.21.4", True), ("1.22.1", True), ("2.0.0", True), ("built yesterday", True)),
    ],
)
def test_only_a_newer_nginx_passes_ends_on(version: str, passes: bool) -> None:
    assert peers.passes_ends(version) == passes
