"""Namespaces that a kernel makes and then gives no rights over, and a table of a run's own."""

from __future__ import annotations

from pathlib import Path

import pytest

from simulator.errors import Refused
from simulator.kernel import namespace
from tests.support.namespace import Child

pytestmark = pytest.mark.namespace


def refuse_writes_to(monkeypatch: pytest.MonkeyPatch, denied: str) -> None:
    write_text = Path.write_text

    def write(self: Path, data: str) -> int:
        if self.name == denied:
            raise PermissionError(13, "Permission denied", str(self))
        return write_text(self, data)

    monkeypatch.setattr(Path, "write_text", write)


def refusal() -> str:
    """What a fresh process that may not enter is told."""

    def enter(_pipe: object) -> str:
        try:
            namespace.enter_namespaces(pid=False)
        except Refused as refused:
            return str(refused)
        return "not refused"

    child = Child(enter, alarm_s=20)
    try:
        return str(child.receive())
    finally:
        child.join()


@pytest.mark.parametrize("denied", ["setgroups", "uid_map", "gid_map"])
def test_a_user_namespace_whose_ids_may_not_be_mapped_is_refused_with_what_mends_it(
    monkeypatch: pytest.MonkeyPatch, denied: str
) -> None:
    monkeypatch.setattr(namespace, "_is_mapped", lambda _uid: False)  # as in a root-only map
    refuse_writes_to(monkeypatch, denied)
    told = refusal()
    assert f"Permission denied at /proc/self/{denied}" in told
    assert "apparmor_restrict_unprivileged_userns=0" in told


def test_a_loopback_that_may_not_be_raised_is_refused_with_what_mends_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def denied() -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(namespace, "_loopback_up", denied)
    told = refusal()
    assert "(Operation not permitted)" in told
    assert "portchurn doctor" in told


def test_a_connection_table_of_its_own_has_the_size_that_was_asked_for() -> None:
    if not Path("/proc/sys/net/ipv4/tcp_child_ehash_entries").exists():
        pytest.skip("this kernel has no tables for single namespaces")

    def size(_pipe: object) -> int:
        namespace.enter_namespaces(pid=False, hash_entries=4096)
        # Negative would say that the table is shared with the host (ip-sysctl.rst).
        return int(Path("/proc/sys/net/ipv4/tcp_ehash_entries").read_text())

    child = Child(size, alarm_s=20)
    try:
        assert child.receive() == 4096
    finally:
        child.join()
