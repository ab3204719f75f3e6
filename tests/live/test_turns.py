"""Rows that wait for others, carried out: each follows when it should, and none is forgotten."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from simulator.live.engine import KernelEngine
from simulator.live.turns import TurnsClient
from simulator.live.wire import ANSWER, ANSWER_MAGIC, REQUEST
from simulator.measure.accounting import count_attempts
from simulator.measure.attribution import find_causes
from simulator.records import NOT_YET, Call, Outcome
from simulator.store.read import load_run
from tests.live.test_client import answer_all, front, generate, requests_plan, reset
from tests.support.jobs import Watcher, steady, write_job
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


USERS = {"name": "users", "for": "600ms", "users": {"count": 9, "think": "20ms"}}
HOPELESS = {
    "backends": {"count": 1, "refusing": 1},
    "clients": {"processes": 2, "retry": {"attempts": 3, "backoff": "200ms"}},
}


@pytest.mark.namespace
async def test_users_of_several_processes_keep_littles_law(tmp_path: Path) -> None:
    asked = steady(traffic=[USERS], clients={"processes": 2})
    with write_job(tmp_path, asked) as writer:
        await KernelEngine().run(writer.job, writer, Watcher())
        found = load_run(writer.folder)
    attempts = count_attempts(found.connections, find_causes(found).count_by_key())
    assert set(attempts.not_sent) <= {"needless"}
    assert attempts.ok == attempts.sent
    # One turn takes the 20 ms of thinking at the least; no more than the plan can come about.
    assert 9 * 600 / 20 / 2 < attempts.sent <= attempts.planned == 9 * 600 // 20
    after, sent = found.plan["after"], found.connections["sent_ns"]
    followed = (after >= 0) & (sent >= 0)
    gaps = sent[followed] - found.connections["closed_ns"][after[followed]]
    assert gaps.min() >= 20 * MS
    assert sent.max() < 600 * MS + 50 * MS


@pytest.mark.namespace
@pytest.mark.parametrize("level", [0, 1])
async def test_every_try_is_accounted_for_also_when_the_run_is_stopped(
    tmp_path: Path, level: int
) -> None:
    watch = Watcher(stop_in="running", level=level) if level else Watcher()
    with write_job(tmp_path, steady("300ms", **HOPELESS)) as writer:
        await KernelEngine().run(writer.job, writer, watch)
        found = load_run(writer.folder)
    attempts = count_attempts(found.connections, find_causes(found).count_by_key())
    assert attempts.planned == 30 * 3
    assert attempts.failed == attempts.sent
    if level:
        assert set(attempts.not_sent) == {"stopped"}
    else:
        assert attempts.sent == 90
        assert not attempts.not_sent
