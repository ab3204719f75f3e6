"""What all generators share that do not speak the plain protocol: reads, moments, ends."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from simulator.live.exchange import ExchangeClient
from simulator.records import NOT_YET, Call, Ending, Outcome
from tests.live.test_client import closes_early, front, generate, requests_plan

if TYPE_CHECKING:
    import asyncio
    from pathlib import Path


class Dots(ExchangeClient):
    """Asks with a dot, and is answered when a dot comes."""

    def _request(self, entry: list[int]) -> bytes:
        return b"."

    def _received(self, fd: int, entry: list[int], data: bytes) -> None:
        self._note_first_byte(entry[0])
        if data.endswith(b"."):
            self._note_answer(entry)
            self._answered(fd, entry)


async def dots(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answers each dot in two pieces."""
    while await reader.read(1):
        for piece in (b"-", b"."):
            writer.write(piece)
            await writer.drain()
    writer.close()


async def test_moments_and_bytes_are_kept_as_for_any_client(tmp_path: Path) -> None:
    async with front(dots) as where:
        rows = await generate(tmp_path, where, requests_plan(5, requests=3), kind=Dots)
    assert set(rows["outcome"]) == {Outcome.OK}
    assert set(rows["answers"]) == {3}
    assert set(rows["bytes_in"]) == {6}
    assert (rows["connected_ns"] <= rows["first_byte_ns"]).all()
    assert (rows["first_byte_ns"] <= rows["answered_ns"]).all()


@pytest.mark.parametrize("requests", [1, 2])
async def test_an_end_before_the_answer_is_told_as_such(tmp_path: Path, requests: int) -> None:
    async with front(closes_early) as where:
        rows = await generate(tmp_path, where, requests_plan(5, requests=requests), kind=Dots)
    assert set(rows["call"]) == {Call.RECV}
    assert set(rows["error"]) == {Ending.EOF}
    assert set(rows["first_byte_ns"]) == {NOT_YET}


async def test_what_a_subclass_does_not_say_is_no_silence() -> None:
    with pytest.raises(NotImplementedError):
        ExchangeClient._received(None, 0, [], b"")  # type: ignore[arg-type]
