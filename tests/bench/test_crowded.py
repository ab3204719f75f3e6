"""A crowd of idle sockets: as many as asked for, and gone when it is closed."""

from __future__ import annotations

import resource

import pytest

from simulator.bench.crowded import Crowd
from simulator.bench.processes import write_setting
from simulator.kernel.sockdiag import ESTABLISHED, SocketDiag
from tests.support.namespace import in_namespace


def established() -> int:
    diag = SocketDiag()
    try:
        return int((diag.dump().state == ESTABLISHED).sum())
    finally:
        diag.close()


def grown() -> list[int]:
    write_setting("core.somaxconn", "100000")
    crowd = Crowd()
    seen = []
    for sockets in (200, 1_000):
        crowd.grow(sockets)
        seen.append(established())
    crowd.close()
    return [*seen, established()]


@pytest.mark.namespace
def test_it_has_as_many_sockets_as_asked_for_and_none_in_the_end() -> None:
    assert in_namespace(grown) == [200, 1_000, 0]


def too_many() -> str:
    write_setting("core.somaxconn", "100000")
    crowd = Crowd()
    resource.setrlimit(resource.RLIMIT_NOFILE, (100, 100))  # less than it was told there are
    try:
        crowd.grow(1_000)
    except OSError as error:
        return str(error)
    finally:
        crowd.close()
    return ""


@pytest.mark.namespace
def test_a_connection_that_fails_is_an_error() -> None:
    assert "failed" in in_namespace(too_many)
