"""The forger's socket: opened only for a forger, and closed in every other role."""

from __future__ import annotations

import socket

import pytest

from simulator.live.dns_settings import ForgerRole
from simulator.live.raw_share import keep_raw, take_raw
from simulator.live.settings import RoleSpec, SamplerRole
from tests.support.namespace import in_namespace

FORGER = RoleSpec(
    kind="forger",
    index=0,
    settings=ForgerRole(rate_per_s=1, packets=1, first=0, last=0, idents=1, until_ns=1, seed=1),
)
SAMPLER = RoleSpec(kind="sampler", index=0, settings=SamplerRole(every_ns=1, hops=()))


def test_without_a_forger_there_is_none() -> None:
    assert take_raw([SAMPLER]) is None
    assert keep_raw(None, SAMPLER) is None
    assert keep_raw(None, FORGER) is None


def _kinds() -> tuple[int, bool]:
    raw = take_raw([SAMPLER, FORGER])
    assert raw is not None
    with raw:
        return int(raw.type) & 0xF, raw.getblocking()


@pytest.mark.namespace
def test_with_one_it_is_raw_and_does_not_block() -> None:
    assert in_namespace(_kinds) == (socket.SOCK_RAW, False)


def test_it_is_the_forgers_alone() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as mine:
        assert keep_raw(mine, FORGER) is mine
        assert mine.fileno() >= 0
        assert keep_raw(mine, SAMPLER) is None
        assert mine.fileno() == -1
