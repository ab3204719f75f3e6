"""The generator against servers that behave and servers that do not: every row tells the truth."""

from __future__ import annotations

import asyncio
import errno
import socket
import struct
from contextlib import asynccontextmanager
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from simulator.clock import monotonic_ns
from simulator.live.client import LoadClient
from simulator.live.ledger import Ledger
from simulator.live.settings import ClientRole, SourceSettings
from simulator.live.wire import ANSWER, ANSWER_MAGIC, REQUEST
from simulator.records import NOT_YET, Call, Ending, Outcome
from simulator.store.write import create_run
from tests.support.runs import MS, plan, scenario

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from pathlib import Path

    Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]

FRONT = "127.2.7.1"


async def answer_all(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """A server that does what is asked until the client goes."""
    while True:
        try:
            head = await reader.readexactly(REQUEST.size)
        except (asyncio.IncompleteReadError, ConnectionResetError):
            break
        _, body, answer, flags, _ = REQUEST.unpack(head)
        await reader.readexactly(body)
        writer.write(ANSWER.pack(ANSWER_MAGIC, 0, answer) + bytes(answer))
        if flags:
            break
    writer.close()


async def turn() -> None:
    """Let the loop run once."""
    await asyncio.sleep(0)


def reset(writer: asyncio.StreamWriter) -> None:
    sock = writer.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.close()


@asynccontextmanager
async def front(handler: Handler) -> AsyncIterator[tuple[str, int]]:
    serving: set[asyncio.Task[None] | None] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        serving.add(asyncio.current_task())
        try:
            await handler(reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass  # the client went, which is its right
        finally:
            writer.close()

    server = await asyncio.start_server(serve, FRONT, 0)
    try:
        yield FRONT, server.sockets[0].getsockname()[1]
    finally:
        server.close()
        tasks = [task for task in serving if task is not None]
        if tasks:
            await asyncio.wait(tasks, timeout=5)
        await server.wait_closed()


async def generate(
    tmp_path: Path,
    where: tuple[str, int],
    columns: dict[str, np.ndarray[Any, Any]],
    *,
    stop_after: int | None = None,
    kind: type[LoadClient] = LoadClient,
    rows: int | None = None,
    **changes: object,
) -> dict[str, np.ndarray[Any, Any]]:
    """Let one generator process's code carry out a plan, or so many rows; returns all rows."""
    writer = create_run(
        tmp_path / "results",
        slug="generated",
        text="",
        scenario=scenario(),
        variant="",
        engine="kernel",
        command=[],
        plan=columns,
        host={},
    )
    given: dict[str, object] = {
        "workers": 1,
        "folder": str(writer.folder),
        "source": SourceSettings(
            addresses=("127.1.7.1",), mode="kernel", pick="random", first=1, last=2, seed=1
        ),
        "front": where,
        "policy": "round-robin",
        "choices": 2,
        "close": "client",
        "timeout_ns": 300 * MS,
        "seed": 1,
    }
    settings = ClientRole(**(given | changes))  # type: ignore[arg-type]
    ours, theirs = socket.socketpair()
    role = kind(asyncio.get_running_loop(), theirs, 0, settings, Ledger(writer.folder))
    await role.prepare()
    role.t0_ns = monotonic_ns()
    role.on_start()
    rows = rows or len(columns["due_ns"])
    async with asyncio.timeout(10):
        # The role has nothing to wait on from outside; each turn of the loop is one look.
        while role.ok + role.failed + role.not_sent < rows:
            if stop_after is not None and role.sent >= stop_after:
                role.on_stop()
            await turn()
    role.on_quit()
    role.channel.close()
    ours.close()
    writer.close()
    return {path.stem: np.load(path) for path in (writer.folder / "connections").glob("*.npy")}


def requests_plan(count: int, **columns: int) -> dict[str, np.ndarray[Any, Any]]:
    """`count` connections a millisecond apart, with the service times their requests need."""
    made = plan([at * MS for at in range(count)], **columns)
    total = int(made["requests"].sum())
    made["first_service"] = (np.cumsum(made["requests"]) - made["requests"]).astype("<i8")
    made["service_ns"] = np.zeros(total, dtype="<i8")
    return made


@pytest.mark.parametrize("close", ["client", "reset", "backend"])
@pytest.mark.parametrize("requests", [1, 3])
async def test_answered_connections_are_ok_with_their_moments_in_order(
    tmp_path: Path, close: str, requests: int
) -> None:
    columns = requests_plan(
        20, requests=requests, request_bytes=100, response_bytes=200_000, lifetime_ns=5 * MS
    )
    async with front(answer_all) as where:
        rows = await generate(tmp_path, where, columns, close=close)
    assert set(rows["outcome"]) == {Outcome.OK}
    assert set(rows["answers"]) == {requests}
    assert set(rows["bytes_in"]) == {requests * (ANSWER.size + 200_000)}
    assert (rows["sent_ns"] >= columns["due_ns"]).all()
    order = ["sent_ns", "connected_ns", "first_byte_ns", "answered_ns", "closed_ns"]
    for before, after in pairwise(order):
        assert (rows[before] <= rows[after]).all(), (before, after)
    assert (rows["port"] > 0).all()
    if close == "client":
        assert (rows["closed_ns"] - rows["connected_ns"] >= 5 * MS).all()


async def test_connection_without_requests_is_held_for_its_lifetime(tmp_path: Path) -> None:
    async with front(answer_all) as where:
        rows = await generate(tmp_path, where, requests_plan(5, requests=0, lifetime_ns=20 * MS))
    assert set(rows["outcome"]) == {Outcome.OK}
    assert (rows["closed_ns"] - rows["connected_ns"] >= 20 * MS).all()
    assert set(rows["answers"]) == {0}


async def test_requests_are_spread_over_the_lifetime(tmp_path: Path) -> None:
    async with front(answer_all) as where:
        rows = await generate(tmp_path, where, requests_plan(3, requests=4, lifetime_ns=80 * MS))
    assert (rows["answered_ns"] - rows["connected_ns"] >= 60 * MS).all()  # the fourth begins then


async def test_a_client_thinks_after_each_answer(tmp_path: Path) -> None:
    columns = requests_plan(3, requests=3)
    columns["think_ns"] = np.array([0, 20 * MS, 30 * MS] * 3, dtype="<i8")
    async with front(answer_all) as where:
        rows = await generate(tmp_path, where, columns)
    assert set(rows["outcome"]) == {Outcome.OK}
    assert set(rows["answers"]) == {3}
    assert (rows["answered_ns"] - rows["first_byte_ns"] >= 50 * MS).all()


async def test_a_client_lingers_after_its_last_answer(tmp_path: Path) -> None:
    columns = requests_plan(3, requests=2)
    columns["think_ns"] = np.array([0, 5 * MS] * 3, dtype="<i8")
    columns["linger_ns"] = np.array([0, 30 * MS, 30 * MS], dtype="<i8")
    async with front(answer_all) as where:
        rows = await generate(tmp_path, where, columns)
    assert set(rows["outcome"]) == {Outcome.OK}
    assert (rows["closed_ns"] - rows["answered_ns"])[1:].min() >= 30 * MS


async def closes_early(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read(10)
    writer.close()


async def resets(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read(10)
    reset(writer)


async def half_an_answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readexactly(REQUEST.size)
    writer.write(ANSWER.pack(ANSWER_MAGIC, 0, 64) + bytes(10))
    await writer.drain()
    writer.close()


async def nonsense(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readexactly(REQUEST.size)
    writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
    await writer.drain()
    await reader.read()
    writer.close()


async def too_much(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readexactly(REQUEST.size)
    writer.write(ANSWER.pack(ANSWER_MAGIC, 0, 64) + bytes(65))
    await writer.drain()
    writer.close()


async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read()
    writer.close()


@pytest.mark.parametrize(
    ("handler", "call", "error"),
    [
        (closes_early, Call.RECV, {Ending.EOF, errno.ECONNRESET}),
        (resets, Call.RECV, {errno.ECONNRESET}),
        (half_an_answer, Call.RECV, {Ending.EOF}),
        (nonsense, Call.RECV, {Ending.PROTOCOL}),
        (too_much, Call.RECV, {Ending.PROTOCOL}),
        (silent, Call.RECV, {Ending.TIMEOUT}),
    ],
)
async def test_each_way_to_fail_has_its_own_entry(
    tmp_path: Path, handler: Handler, call: Call, error: set[int]
) -> None:
    async with front(handler) as where:
        rows = await generate(tmp_path, where, requests_plan(5, response_bytes=64))
    assert set(rows["outcome"]) == {Outcome.FAILED}
    assert set(rows["call"]) == {call}
    assert set(rows["error"].tolist()) <= error
    assert (rows["connected_ns"] >= 0).all()


async def test_nobody_listening_is_econnrefused_at_connect(tmp_path: Path) -> None:
    with socket.socket() as held:
        held.bind((FRONT, 0))
        rows = await generate(tmp_path, held.getsockname(), requests_plan(5))
    assert set(rows["outcome"]) == {Outcome.FAILED}
    assert set(rows["call"]) == {Call.CONNECT}
    assert set(rows["error"]) == {errno.ECONNREFUSED}
    assert set(rows["connected_ns"]) == {NOT_YET}


async def test_an_own_port_list_that_is_empty_asks_nothing_of_the_kernel(tmp_path: Path) -> None:
    source = SourceSettings(
        addresses=("127.1.7.2",),
        mode="userspace",
        pick="sequential",
        first=21000,
        last=21003,
        seed=1,
    )
    async with front(answer_all) as where:
        columns = requests_plan(10, lifetime_ns=200 * MS)
        rows = await generate(tmp_path, where, columns, source=source)
    outcomes = rows["outcome"].tolist()
    assert outcomes.count(Outcome.OK) == 4
    failed = rows["outcome"] == Outcome.FAILED
    assert set(rows["error"][failed]) == {Ending.NO_PORT}
    assert sorted(rows["port"][~failed].tolist()) == [21000, 21001, 21002, 21003]


async def test_a_stop_leaves_what_is_not_due_as_not_sent(tmp_path: Path) -> None:
    columns = requests_plan(1000)
    async with front(answer_all) as where:
        rows = await generate(tmp_path, where, columns, stop_after=20)
    counts = np.bincount(rows["outcome"], minlength=len(Outcome))
    assert counts[Outcome.NOT_SENT_STOPPED] > 0
    assert counts[Outcome.OK] + counts[Outcome.NOT_SENT_STOPPED] == 1000
    assert set(rows["sent_ns"][rows["outcome"] == Outcome.NOT_SENT_STOPPED]) == {NOT_YET}


async def test_an_answered_connection_waits_for_the_balancers_own_idle_timeout(
    tmp_path: Path,
) -> None:
    async def idle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(REQUEST.size)
        writer.write(ANSWER.pack(ANSWER_MAGIC, 0, 0))
        asyncio.get_running_loop().call_later(0.25, writer.close)
        await reader.read()

    async with front(idle) as where:
        columns = requests_plan(3)
        rows = await generate(tmp_path, where, columns, close="balancer", timeout_ns=100 * MS)
    assert set(rows["outcome"]) == {Outcome.OK}
    assert (rows["closed_ns"] - rows["answered_ns"] >= 200 * MS).all()


async def test_a_backend_that_does_not_close_after_its_last_answer_is_given_up(
    tmp_path: Path,
) -> None:
    async def stays(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(REQUEST.size)
        asyncio.get_running_loop().call_later(0.15, writer.write, ANSWER.pack(ANSWER_MAGIC, 0, 0))
        await reader.read()

    async with front(stays) as where:
        columns = requests_plan(3)
        rows = await generate(tmp_path, where, columns, close="backend", timeout_ns=200 * MS)
    assert set(rows["outcome"]) == {Outcome.FAILED}
    assert set(rows["error"]) == {Ending.TIMEOUT}
    assert (rows["closed_ns"] - rows["answered_ns"] >= 200 * MS).all()  # a wait of its own
