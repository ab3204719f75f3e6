"""The generator that leaves out what nobody misses: its rows are those of the plain one.

What it does differently it does when it is behind, so every connection here is due at once.
"""

from __future__ import annotations

import errno
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from simulator.live.client import SENDS_PER_WAKEUP, LoadClient
from simulator.live.prompt_client import PromptClient, is_prompt
from simulator.live.settings import ClientRole, SourceSettings
from simulator.live.wire import ANSWER
from simulator.records import Call, Ending, Outcome
from tests.live import test_client as plain
from tests.support.runs import MS

if TYPE_CHECKING:
    from pathlib import Path

#: A plain connect, which goes in chunks, and one that names its address, which does not.
PLAIN = SourceSettings(addresses=(), mode="kernel", pick="random", first=1, last=2, seed=1)
NAMED = SourceSettings(
    addresses=("127.1.7.1",), mode="kernel", pick="random", first=1, last=2, seed=1
)
either_source = pytest.mark.parametrize("source", [PLAIN, NAMED], ids=["plain", "named"])
#: More than one batch, and fewer than fit into the queue of the server, which shares our loop.
COUNT = SENDS_PER_WAKEUP + 20


def all_at_once(count: int, **columns: int) -> dict[str, np.ndarray[Any, Any]]:
    made = plain.requests_plan(count, **columns)
    made["due_ns"] = np.zeros(count, dtype="<i8")
    return made


@either_source
@pytest.mark.parametrize("answer_bytes", [0, 64, 70_000])
@pytest.mark.parametrize("requests", [1, 2])
async def test_every_row_has_its_moments_in_order(
    tmp_path: Path, requests: int, answer_bytes: int, source: SourceSettings
) -> None:
    columns = all_at_once(COUNT, requests=requests, response_bytes=answer_bytes)
    async with plain.front(plain.answer_all) as where:
        rows = await plain.generate(
            tmp_path, where, columns, kind=PromptClient, timeout_ns=5_000 * MS, source=source
        )
    assert set(rows["outcome"]) == {Outcome.OK}
    assert set(rows["answers"]) == {requests}
    assert set(rows["bytes_in"]) == {requests * (ANSWER.size + answer_bytes)}
    order = ["sent_ns", "connected_ns", "first_byte_ns", "answered_ns", "closed_ns"]
    for before, after in pairwise(order):
        assert (rows[before] <= rows[after]).all(), (before, after)
    assert (rows["port"] > 0).all()
    assert (rows["connect_call_ns"] > 0).all()


@either_source
@pytest.mark.parametrize(
    ("handler", "error"),
    [
        (plain.closes_early, {Ending.EOF, errno.ECONNRESET}),
        (plain.resets, {errno.ECONNRESET}),
        (plain.half_an_answer, {Ending.EOF}),
        (plain.nonsense, {Ending.PROTOCOL}),
        (plain.too_much, {Ending.PROTOCOL}),
        (plain.silent, {Ending.TIMEOUT}),
    ],
)
async def test_each_way_to_fail_is_what_it_is_for_the_plain_one(
    tmp_path: Path, handler: plain.Handler, error: set[int], source: SourceSettings
) -> None:
    columns = all_at_once(COUNT, response_bytes=64)
    async with plain.front(handler) as where:
        rows = await plain.generate(
            tmp_path, where, columns, kind=PromptClient, timeout_ns=1_000 * MS, source=source
        )
    assert set(rows["outcome"]) == {Outcome.FAILED}
    assert set(rows["call"]) == {Call.RECV}
    assert set(rows["error"].tolist()) <= error


@pytest.mark.parametrize("address", [plain.FRONT, "224.0.0.1"], ids=["refused", "at-once"])
async def test_who_cannot_connect_is_written_down_as_by_the_plain_one(
    tmp_path: Path, address: str
) -> None:
    # Port 1 of ours has no listener; a multicast address is refused by connect() itself.
    columns = all_at_once(COUNT, response_bytes=64)
    quick, slow = [
        await plain.generate(
            tmp_path / kind.__name__, (address, 1), columns, kind=kind, source=PLAIN
        )
        for kind in (PromptClient, LoadClient)
    ]
    assert set(quick["outcome"]) == {Outcome.FAILED}
    assert set(quick["call"]) == {Call.CONNECT}
    for name in ("outcome", "call", "error", "connected_ns", "first_byte_ns", "backend"):
        assert (quick[name] == slow[name]).all(), name
    assert (quick["closed_ns"] >= quick["sent_ns"]).all()


async def test_what_takes_its_time_within_a_chunk_goes_the_ordinary_way(tmp_path: Path) -> None:
    columns = all_at_once(COUNT, response_bytes=64)
    columns["lifetime_ns"][::3] = 20 * MS
    async with plain.front(plain.answer_all) as where:
        rows = await plain.generate(
            tmp_path, where, columns, kind=PromptClient, timeout_ns=5_000 * MS, source=PLAIN
        )
    assert set(rows["outcome"]) == {Outcome.OK}
    assert (rows["closed_ns"] - rows["connected_ns"] >= columns["lifetime_ns"]).all()


async def test_a_process_takes_up_only_rows_of_its_own(tmp_path: Path) -> None:
    columns = all_at_once(3 * COUNT, response_bytes=64)
    async with plain.front(plain.answer_all) as where:
        rows = await plain.generate(
            tmp_path,
            where,
            columns,
            kind=PromptClient,
            timeout_ns=5_000 * MS,
            source=PLAIN,
            workers=3,
            rows=COUNT,
        )
    assert set(rows["outcome"][::3]) == {Outcome.OK}
    assert set(rows["sent_ns"][1::3]) == set(rows["sent_ns"][2::3]) == {-1}


async def test_a_connection_without_requests_is_held_for_its_lifetime(tmp_path: Path) -> None:
    columns = all_at_once(COUNT, requests=0, lifetime_ns=20 * MS)
    async with plain.front(plain.answer_all) as where:
        rows = await plain.generate(tmp_path, where, columns, kind=PromptClient)
    assert set(rows["outcome"]) == {Outcome.OK}
    assert (rows["closed_ns"] - rows["connected_ns"] >= 20 * MS).all()


def role(**changes: object) -> ClientRole:
    source = SourceSettings(addresses=(), mode="kernel", pick="random", first=1, last=2, seed=1)
    given: dict[str, object] = {
        "workers": 1,
        "folder": "",
        "source": source,
        "front": ("127.2.0.1", 80),
        "policy": "round-robin",
        "choices": 2,
        "close": "client",
        "timeout_ns": 1,
        "seed": 1,
    }
    return ClientRole(**(given | changes))  # type: ignore[arg-type]


def test_what_it_does_not_do_is_left_to_the_plain_one() -> None:
    permanent = SourceSettings(
        addresses=("127.1.0.1",), mode="permanent", pick="random", first=1, last=2, seed=1
    )
    assert is_prompt(role())
    assert not is_prompt(role(front=None))
    assert not is_prompt(role(close="backend"))
    assert not is_prompt(role(source=permanent))
