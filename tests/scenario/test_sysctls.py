"""The list of settings a scenario may change holds only what belongs to a network namespace."""

from __future__ import annotations

from pathlib import Path

import pytest

from simulator.scenario.sysctls import ALLOWED_SYSCTLS
from tests.support.namespace import in_namespace


def test_bounds_are_in_order_and_everything_is_explained() -> None:
    for name, (low, high, text) in ALLOWED_SYSCTLS.items():
        assert low < high, name
        assert text, name


def _write_and_read(name: str, value: int) -> str:
    path = Path("/proc/sys", name.replace(".", "/"))
    if name.endswith("port_start"):  # it may not pass the first port that connect() picks from
        Path("/proc/sys/net/ipv4/ip_local_port_range").write_text("65535 65535")
    path.write_text(str(value))
    return path.read_text().strip()


@pytest.mark.namespace
@pytest.mark.parametrize("name", ALLOWED_SYSCTLS)
def test_each_setting_is_a_namespaces_own_and_takes_its_bounds(name: str) -> None:
    path = Path("/proc/sys", name.replace(".", "/"))
    before = path.read_text()
    for value in ALLOWED_SYSCTLS[name][:2]:
        assert in_namespace(_write_and_read, name, value) == str(value)
    assert path.read_text() == before
