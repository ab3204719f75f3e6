"""A program of others as a child: measured, watched, ended; its files are in memory."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from simulator.live.balancers.child import Child, memory_file, path_of, rewrite, said

if TYPE_CHECKING:
    from collections.abc import Callable

BUSY = "i = 0\nwhile i < 3_000_000: i += 1\nprint('done', flush=True)\nimport time; time.sleep(60)"


def start(code: str, output: int, ended: Callable[[int], None]) -> Child:
    return Child(
        asyncio.get_running_loop(),
        ["/usr/bin/env", "python3", "-c", code],
        inherits=(),
        environment={"PATH": os.environ["PATH"]},
        stderr=output,
        ended=ended,
    )


@pytest.mark.usefixtures("assert_clean")
async def test_its_use_is_read_from_proc_and_it_ends_when_told() -> None:
    loop, done = asyncio.get_running_loop(), asyncio.Event()
    codes: list[int] = []
    read, write = os.pipe()
    loop.add_reader(read, done.set)
    child = start(BUSY, write, codes.append)
    async with asyncio.timeout(20):
        await done.wait()
    used = child.usage()
    assert used["user_ns"] + used["system_ns"] > 20_000_000
    assert used["rss_bytes"] > 1 << 20
    assert child.family()[0] == child.pid
    child.kill()
    assert not child.is_running
    assert codes == []  # it was told to, so nobody is told of it
    loop.remove_reader(read)
    os.close(read)
    os.close(write)


@pytest.mark.usefixtures("assert_clean")
@pytest.mark.parametrize("is_told", [True, False])
async def test_its_workers_end_with_it(is_told: bool) -> None:
    loop = asyncio.get_running_loop()
    started, gone, ended = asyncio.Event(), asyncio.Event(), asyncio.Event()
    read, write = os.pipe()
    loop.add_reader(read, started.set)
    code = "import os, time; os.fork(); os.write(1, b'.'); time.sleep(60)"
    child = start(code, write, lambda _code: ended.set())
    async with asyncio.timeout(20):
        while len(child.family()) < 2:
            await asyncio.wait_for(started.wait(), 20)
            await asyncio.sleep(0)
    worker = os.pidfd_open(child.family()[1])
    loop.add_reader(worker, gone.set)
    if is_told:
        child.kill()
    else:
        child.signal(signal.SIGKILL)  # as a crash: nobody told the workers
    async with asyncio.timeout(20):
        await gone.wait()
        assert is_told or await ended.wait()
    loop.remove_reader(worker)
    loop.remove_reader(read)
    for descriptor in (worker, read, write):
        os.close(descriptor)


@pytest.mark.usefixtures("assert_clean")
async def test_its_own_end_is_told_with_its_code() -> None:
    output, ended = memory_file("output"), asyncio.get_running_loop().create_future()
    child = start("import time; time.sleep(60)", output, ended.set_result)
    child.signal(signal.SIGTERM)
    async with asyncio.timeout(20):
        assert await ended == -signal.SIGTERM
    assert not child.is_running
    os.close(output)


def test_a_memory_file_is_rewritten_whole_and_opened_by_its_path() -> None:
    descriptor = memory_file("file", b"a long text")
    rewrite(descriptor, b"short")
    assert Path(path_of(descriptor)).read_bytes() == b"short"
    assert said(descriptor) == "short"
    os.close(descriptor)
