"""The live page's process: follows runs by their folders, and serves what it sees to viewers.

It is a process of its own at low priority, stands outside the run's namespaces, and reads
nothing while nobody looks. `portchurn run --live` starts it and tells it each
run's folder by a pipe, whose end is also its own, so that it never outlives the command, however
that ends. `portchurn show --live` follows one run in the foreground.
"""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import signal
import subprocess
import sys
from contextlib import contextmanager, suppress
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any, Final

import click

import simulator
from simulator.errors import PortchurnError, RunFailed, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from simulator.engine import Engine, Job, Recorder, Watch
    from simulator.live.viewers import Viewers
    from simulator.store.growing import GrowingRun

#: News of samples and counts come so often.
LOOK_EVERY_S: Final = 0.25
#: Charts come so often at most, and take one part in so many of a core that nobody else wants.
DRAW_EVERY_S: Final = 1.0
_DRAW_SHARE: Final = 8
_NICE: Final = 10
#: The last news may take a while where others keep all cores busy; it is no wait otherwise.
_END_WITHIN_S: Final = 20.0


def yield_to_others() -> None:
    """Take a tenth of what anybody else gets where all want the same core, and push nobody aside.

    SCHED_BATCH does not preempt when it wakes. SCHED_IDLE or nice 19 would take even less, and a
    run that keeps every core busy, which is what people look at, would never see its page loaded.
    Source: sched(7).
    """
    with suppress(OSError):
        os.nice(_NICE)
    with suppress(OSError):
        os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))


class LivePage:
    """The page, and whoever looks at it, over one run or several in turn."""

    def __init__(self) -> None:
        from simulator.live.viewers import Viewers

        self.viewers: Viewers = Viewers(self._everything)
        self._run: GrowingRun | None = None
        self._newest: dict[str, Any] = {}

    async def serve(self, follow: Callable[[], Any], say: Callable[[str], None]) -> None:
        """Listen, say the link, and serve for as long as following takes.

        Args:
            follow: starts to follow runs; its end is the page's.
            say: takes the link.

        Raises:
            Refused: it cannot listen.
        """
        from simulator.live.page_server import PageFile, PageServer
        from simulator.report.page.live import files

        server = PageServer(
            files={
                path: PageFile(content_type=kind, body=body)
                for path, (kind, body) in files().items()
            },
            viewers=self.viewers,
            token=secrets.token_urlsafe(24),
            stop=self._stop,
        )
        say(await server.start())
        try:
            await follow()
            self._tell({"is": "end"})
        finally:
            await server.close()

    def _everything(self) -> bytes:
        return json.dumps(list(self._newest.values())).encode()

    def _tell(self, *messages: dict[str, Any]) -> None:
        for message in messages:
            self._newest[message["is"]] = message
        self.viewers.tell(json.dumps(messages, separators=(",", ":")).encode())

    def _stop(self) -> str:
        return "No run is under way." if self._run is None else self._run.ask_to_stop()

    async def follow(self, folder: Path, over: asyncio.Event) -> None:
        """Tell of one run until it has ended, or until there is word that it is over.

        Raises:
            UsageError: the folder is no run of this version.
            ResultsIncomplete: it is damaged.
        """
        from simulator.report.headline import Headline
        from simulator.store.growing import GrowingRun

        self._run = run = GrowingRun(folder)
        try:
            headline = Headline(run.manifest)
            self._newest.clear()
            draw_after = 0.0
            while not over.is_set() and run.status == "running":
                if len(self.viewers):
                    self._tell(headline.take(run.news(), monotonic()))
                    if monotonic() >= draw_after:
                        draw_after = await self._draw(folder)
                with suppress(TimeoutError):
                    async with asyncio.timeout(LOOK_EVERY_S):
                        await over.wait()
            if len(self.viewers):
                self._tell(headline.take(run.news(), monotonic()))
                await self._draw(folder)
        finally:
            self._run = None
            run.close()

    async def _draw(self, folder: Path) -> float:
        """Tell of all charts as they are now; gives the moment of the next time."""
        began = monotonic()
        picture = await asyncio.to_thread(_picture, folder)
        if picture is not None:
            self._tell(picture)
        ended = monotonic()
        return ended + max(DRAW_EVERY_S, (ended - began) * _DRAW_SHARE)


def _picture(folder: Path) -> dict[str, Any] | None:
    """The charts of a run, None when its folder cannot be read at this moment.

    Records are read one after the other while they grow, so a row may be there whose reason is
    not yet; such a moment does not add up, and the next one will.
    """
    from simulator.report.page.live import picture
    from simulator.report.stored import stored

    try:
        return picture(stored(folder))
    except PortchurnError:
        return None


async def show_run(folder: Path) -> None:
    """Serve a run that is under way until it ends, or until Ctrl-C.

    Raises:
        UsageError: it is not under way.
        Refused: there is no listening.
    """
    from simulator.store.read import entry

    status = entry(folder).status
    if status != "running":
        raise UsageError(
            f"{folder.name} is not under way ({status}); `portchurn report` shows what it kept"
        )
    over = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, over.set)
    page = LivePage()
    await page.serve(lambda: page.follow(folder, over), lambda link: click.echo(f"Live: {link}"))


# With `portchurn run --live`: the process, and who starts it.


async def _follow_told(page: LivePage) -> None:
    """Follow each folder that comes as a line on stdin, until stdin ends."""
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader()
    protocol = asyncio.StreamReaderProtocol(reader)
    transport, _ = await loop.connect_read_pipe(lambda: protocol, sys.stdin.buffer)
    try:
        line = await reader.readline()
        while line:
            over = asyncio.Event()
            async with asyncio.TaskGroup() as group:
                following = group.create_task(_follow_quietly(page, line, over))
                line = await reader.readline()
                over.set()
                await following
    finally:
        transport.close()


async def _follow_quietly(page: LivePage, line: bytes, over: asyncio.Event) -> None:
    """One run; that its folder cannot be read is told by who runs it."""
    with suppress(PortchurnError):
        await page.follow(Path(json.loads(line)), over)


def main() -> None:
    """Serve until stdin ends; the link is the one line on stdout."""
    for number in (signal.SIGINT, signal.SIGHUP):  # meant for the run, which closes our stdin
        signal.signal(number, signal.SIG_IGN)
    page = LivePage()

    def say(link: str) -> None:
        yield_to_others()  # not before: the run waits for the link, and begins when it has it
        sys.stdout.write(f"{link}\n")
        sys.stdout.flush()

    asyncio.run(page.serve(lambda: _follow_told(page), say))


class FollowedEngine:
    """An engine that has the folder of each of its runs told to the live page first."""

    def __init__(self, engine: Engine, tell: Callable[[Path], None]) -> None:
        self.name = engine.name
        self._engine = engine
        self._tell = tell

    async def run(self, job: Job, recorder: Recorder, watch: Watch) -> None:
        """Do the job (`engine.Engine`)."""
        self._tell(job.folder)
        await self._engine.run(job, recorder, watch)


@contextmanager
def page_beside() -> Iterator[tuple[str, Callable[[Path], None]]]:
    """A page's process for the length of a block: its link, and how to tell it of a run.

    Raises:
        RunFailed: it does not start.
    """
    root = str(Path(simulator.__file__).parent.parent)
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "simulator.cli.live_page"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([root, *filter(None, sys.path)])},
        start_new_session=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    told = process.stdin

    def tell(folder: Path) -> None:
        # Who cannot be told shows nothing; the run goes on.
        with suppress(OSError, ValueError):
            told.write(json.dumps(str(folder.resolve())).encode() + b"\n")
            told.flush()

    try:
        link = process.stdout.readline().decode().strip()
        if not link:
            raise RunFailed("The live page's process did not start.")
        yield link, tell
    finally:
        with suppress(OSError):
            told.close()
        try:
            process.wait(_END_WITHIN_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        process.stdout.close()


if __name__ == "__main__":
    main()
