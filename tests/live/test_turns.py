"""Rows that wait for others, carried out: each follows when it should, and none is forgotten."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING, Any

import numpy as np

from simulator.live.turns import TurnsClient
from simulator.live.wire import ANSWER, ANSWER_MAGIC, REQUEST
from simulator.records import NOT_YET, Call, Outcome
from tests.live.test_client import answer_all, front, generate, requests_plan, reset
from tests.support.runs import MS

if TYPE_CHECKING:
    import asyncio
    from pathlib import Path

    Rows = dict[str, np.ndarray[Any, Any]]


def waiting(count: int, tries: int, pause_ms: int, **columns: int) -> Rows:
    """`count` connections with rows for so many tries of each, all tries of one number together."""
    made = requests_plan(count * tries, **columns)
    row = np.arange(count * tries)
    made["due_ns"] = (row * MS).astype("<i8")
    made["after"] = np.where(row < count, -1, row - count).astype("<i8")
    made["pause_ns"] = np.full(count * tries, pause_ms * MS, dtype="<i8")
    made["attempt"] = (row // count).astype("|u1")
    return made


def refuses(times: int) -> Any:  # noqa: ANN401 - a handler
    """A server that resets so many connections and then serves."""
    left = [times]

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if left[0] > 0:
            left[0] -= 1
            await reader.readexactly(REQUEST.size)
            reset(writer)
            return
        await answer_all(reader, writer)

    return serve


async def test_a_retry_follows_a_failure_after_its_pause_and_a_success_ends_it(
    tmp_path: Path,
) -> None:
    async with front(refuses(7)) as where:
        rows = await generate(tmp_path, where, waiting(5, 3, 20), kind=TurnsClient)
    outcome = rows["outcome"]
    assert (outcome == Outcome.FAILED).sum() == 7
    assert set(rows["error"][outcome == Outcome.FAILED].tolist()) == {errno.ECONNRESET}
    assert (outcome == Outcome.OK).sum() == 5
    assert (outcome == Outcome.NOT_SENT_NEEDLESS).sum() == 15 - 7 - 5
    for row in range(5, 15):
        before = row - 5
        if rows["sent_ns"][row] != NOT_YET:
            assert outcome[before] == Outcome.FAILED
            assert rows["sent_ns"][row] >= rows["closed_ns"][before] + 20 * MS
        else:
            assert outcome[before] in {Outcome.OK, Outcome.NOT_SENT_NEEDLESS}


async def test_after_the_last_try_a_client_gives_up(tmp_path: Path) -> None:
    async with front(refuses(100)) as where:
        rows = await generate(tmp_path, where, waiting(4, 3, 5), kind=TurnsClient)
    assert set(rows["outcome"]) == {Outcome.FAILED}
    assert set(rows["call"]) == {Call.RECV}


async def test_users_take_turns_whatever_became_of_the_last(tmp_path: Path) -> None:
    columns = waiting(3, 6, 30)
    end = (10_000 * MS,)
    async with front(refuses(4)) as where:
        rows = await generate(tmp_path, where, columns, turns_end_ns=end, kind=TurnsClient)
    outcome = rows["outcome"].tolist()
    assert (outcome.count(Outcome.FAILED), outcome.count(Outcome.OK)) == (4, 14)
    gaps = rows["sent_ns"][3:] - rows["closed_ns"][:-3]
    assert (gaps >= 30 * MS).all()


async def test_turns_that_the_phase_has_no_time_for_are_not_needed(tmp_path: Path) -> None:
    async with front(answer_all) as where:
        rows = await generate(
            tmp_path,
            where,
            waiting(2, 10, 30),
            turns_end_ns=(100 * MS,),
            kind=TurnsClient,
        )
    outcome = rows["outcome"]
    assert set(outcome) == {Outcome.OK, Outcome.NOT_SENT_NEEDLESS}
    assert (rows["sent_ns"][outcome == Outcome.OK] < 200 * MS).all()
    # One turn takes at least its pause of 30 ms, so four is the most that begin within 100 ms.
    assert 2 <= (outcome == Outcome.OK).sum() <= 8


async def test_a_stop_ends_every_wait(tmp_path: Path) -> None:
    async def slow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(REQUEST.size)
        writer.write(ANSWER.pack(ANSWER_MAGIC, 0, 0))
        await reader.read()

    columns = waiting(200, 4, 50)
    async with front(slow) as where:
        rows = await generate(tmp_path, where, columns, stop_after=20, kind=TurnsClient)
    outcome = rows["outcome"]
    assert set(outcome) == {Outcome.OK, Outcome.NOT_SENT_STOPPED, Outcome.NOT_SENT_NEEDLESS}
    assert (outcome == Outcome.NOT_SENT_STOPPED).sum() >= 4 * 150


async def test_chains_are_dealt_out_whole_among_processes(tmp_path: Path) -> None:
    columns = waiting(5, 2, 5)
    async with front(refuses(100)) as where:
        rows = await generate(tmp_path, where, columns, workers=2, rows=6, kind=TurnsClient)
    # The first of two processes has the first, third and fifth connection, with their retries.
    mine = np.flatnonzero(rows["outcome"] == Outcome.FAILED)
    assert mine.tolist() == [0, 2, 4, 5, 7, 9]
