"""Stub clients against servers that answer well and badly: each row says what it was told."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from simulator.dns.message import (
    NO_SUCH_NAME,
    SERVER_FAILURE,
    UDP_BYTES,
    Message,
    decode,
    encode,
)
from simulator.dns.zone import FORGED_ADDRESS, index_of, name_of, true_addresses
from simulator.live.dns_client import DnsClient, DnsTurnsClient, ident_of
from simulator.live.settings import SourceSettings
from simulator.records import Call, Ending, Outcome
from tests.live.test_client import generate, requests_plan
from tests.live.test_turns import waiting
from tests.support.runs import MS

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    Answering = Callable[[Message], list[bytes]]

FRONT = "127.2.13.1"
SOURCE = SourceSettings(
    addresses=("127.1.13.1", "127.1.13.2"),
    mode="userspace",
    pick="sequential",
    first=21_600,
    last=21_699,
    seed=1,
    datagrams=True,
)


def truth(question: Message, **changes: Any) -> bytes:  # noqa: ANN401 - fields of a message
    index = index_of(question.name)
    assert index is not None
    given: dict[str, Any] = {
        "ident": question.ident,
        "name": question.name,
        "is_answer": True,
        "addresses": true_addresses(index, 0),
    }
    return encode(Message(**(given | changes)))


class Server(asyncio.DatagramProtocol):
    """Answers as it is told to."""

    def __init__(self, answering: Answering) -> None:
        self._answering = answering
        self.questions: list[Message] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: Any = transport  # uvloop's is no asyncio.DatagramTransport

    def datagram_received(self, data: bytes, addr: Any) -> None:  # noqa: ANN401 - as asyncio has it
        self.questions.append(decode(data))
        for answer in self._answering(self.questions[-1]):
            self._transport.sendto(answer, addr)


@asynccontextmanager
async def server(answering: Answering) -> AsyncIterator[tuple[Server, tuple[str, int]]]:
    loop = asyncio.get_running_loop()
    transport, protocol = await loop.create_datagram_endpoint(
        lambda: Server(answering), local_addr=(FRONT, 0)
    )
    try:
        yield protocol, transport.get_extra_info("sockname")
    finally:
        transport.close()
        await asyncio.sleep(0)


async def ask(
    tmp_path: Path,
    answering: Answering,
    columns: dict[str, np.ndarray[Any, Any]],
    **changes: Any,  # noqa: ANN401 - settings
) -> tuple[dict[str, np.ndarray[Any, Any]], list[Message]]:
    async with server(answering) as (there, where):
        given: dict[str, Any] = {"kind": DnsClient, "source": SOURCE, "timeout_ns": 200 * MS}
        rows = await generate(tmp_path, where, columns, **(given | changes))
    return rows, there.questions


async def test_each_row_is_one_question_with_its_order_and_one_answer(tmp_path: Path) -> None:
    columns = requests_plan(20, response_bytes=64)
    columns["service_ns"] = np.arange(20, dtype="<i8") * 1000
    rows, questions = await ask(tmp_path, lambda q: [truth(q)], columns, names=7)
    assert set(rows["outcome"]) == {Outcome.OK}
    assert set(rows["answers"]) == {1}
    assert [one.name for one in questions] == [name_of(row % 7) for row in range(20)]
    assert [one.ident for one in questions] == [ident_of(row) for row in range(20)]
    assert [one.order for one in questions] == [(row * 1000, 64) for row in range(20)]
    assert {one.udp_bytes for one in questions} == {UDP_BYTES}
    moments = [rows[name] for name in ("sent_ns", "first_byte_ns", "answered_ns", "closed_ns")]
    assert all((before <= after).all() for before, after in pairwise(moments))
    assert (rows["port"] >= 21_600).all()


def test_ids_of_neighbours_differ() -> None:
    assert len({ident_of(row) for row in range(1 << 16)}) == 1 << 16


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"rcode": NO_SUCH_NAME, "addresses": ()}, Ending.NXDOMAIN),
        ({"rcode": SERVER_FAILURE, "addresses": ()}, Ending.SERVFAIL),
        ({"truncated": True}, Ending.TRUNCATED),
        ({"addresses": (FORGED_ADDRESS,)}, Ending.FORGED),
        ({"addresses": ()}, Ending.PROTOCOL),
        ({"addresses": true_addresses(50, 0)}, Ending.PROTOCOL),
        ({"is_answer": False}, Ending.PROTOCOL),
    ],
)
async def test_an_answer_that_is_none_fails_by_what_it_says(
    tmp_path: Path, fields: dict[str, Any], error: Ending
) -> None:
    rows, _ = await ask(tmp_path, lambda q: [truth(q, **fields)], requests_plan(3))
    assert set(rows["outcome"]) == {Outcome.FAILED}
    assert set(rows["call"]) == {Call.RECV}
    assert set(rows["error"]) == {error}


async def test_rubbish_fails_and_silence_times_out(tmp_path: Path) -> None:
    rows, _ = await ask(tmp_path / "rubbish", lambda _: [b"rubbish"], requests_plan(2))
    assert set(rows["error"]) == {Ending.PROTOCOL}
    rows, _ = await ask(tmp_path / "silence", lambda _: [], requests_plan(2), timeout_ns=20 * MS)
    assert set(rows["error"]) == {Ending.TIMEOUT}


async def test_answers_to_others_are_passed_over(tmp_path: Path) -> None:
    def late_ones_first(question: Message) -> list[bytes]:
        other_id = truth(question, ident=question.ident ^ 1)
        return [other_id, truth(question, name=name_of(99)), truth(question)]

    rows, _ = await ask(tmp_path, late_ones_first, requests_plan(5))
    assert set(rows["outcome"]) == {Outcome.OK}


async def test_a_try_that_worked_needs_no_other(tmp_path: Path) -> None:
    rows, _ = await ask(tmp_path, lambda q: [truth(q)], waiting(3, 2, 3), kind=DnsTurnsClient)
    assert rows["outcome"].tolist() == [Outcome.OK] * 3 + [Outcome.NOT_SENT_NEEDLESS] * 3
