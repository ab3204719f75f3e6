"""A role's life on a socket pair: ready, start, ticks, quit; and what is heard when it breaks."""

from __future__ import annotations

import asyncio
import os
import resource
import socket
from time import sleep
from typing import TYPE_CHECKING, Any

import pytest
import uvloop

from simulator.clock import monotonic_ns
from simulator.live import role as role_module
from simulator.live.channel import Channel, Decoder, Message, encode
from simulator.live.role import Role, limit_descriptors, new_loop, run_role
from tests.support.namespace import LOOPS, Child

if TYPE_CHECKING:
    from collections.abc import Iterator

MS = 1_000_000


class Recording(Role):
    """A role that notes what it is told, and breaks when it is asked to."""

    kind = "recording"

    def __init__(self, loop: asyncio.AbstractEventLoop, sock: socket.socket) -> None:
        super().__init__(loop, sock, 3)
        self.told: list[str] = []
        self.broken_at = ""
        self.last_words: Message = {"last": "words"}

    def _note(self, what: str) -> None:
        self.told.append(what)
        if self.broken_at == what:
            raise LookupError(f"broken at {what}")

    async def prepare(self) -> Message:
        self._note("prepare")
        return {"prepared": True}

    def on_start(self) -> None:
        self._note("start")

    def on_stop(self) -> None:
        self._note("stop")

    def on_message(self, head: Message) -> None:
        if "block_s" in head:
            sleep(head["block_s"])
        if "callback" in head:
            self.loop.call_soon(self._note, "callback")
        self._note(head["do"])

    def on_tick(self) -> None:
        self._note("tick")

    def on_quit(self) -> Message:
        self._note("quit")
        return self.last_words

    def counters(self) -> Message:
        return {"told": len(self.told)}


class Conductor:
    """The other end: what it hears, and a way to wait for a word."""

    def __init__(self, sock: socket.socket) -> None:
        self.heard: list[Message] = []
        self.ended = False
        self._news = asyncio.Event()
        self.channel = Channel(asyncio.get_running_loop(), sock, self._message, self._end)

    def _message(self, head: Message, _tail: bytes) -> None:
        self.heard.append(head)
        self._news.set()

    def _end(self, _why: str) -> None:
        self.ended = True
        self._news.set()

    async def hear(self, word: str, count: int = 1) -> Message:
        """The count-th message of this kind."""
        async with asyncio.timeout(10):
            while len(found := [one for one in self.heard if one["is"] == word]) < count:
                assert not self.ended, f"no {word!r} in {self.heard}"
                self._news.clear()
                await self._news.wait()
        return found[count - 1]


@pytest.fixture
def pair(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[socket.socket, socket.socket]]:
    """A socket pair; and ticks twenty times as fast, so that tests need not wait for them."""
    monkeypatch.setattr(role_module, "TICK_S", 0.005)
    ours, theirs = socket.socketpair()
    yield ours, theirs
    ours.close()
    theirs.close()


Pair = tuple[socket.socket, socket.socket]


async def test_a_role_is_ready_ticks_from_the_start_on_and_says_last_words(pair: Pair) -> None:
    conductor = Conductor(pair[0])
    role = Recording(asyncio.get_running_loop(), pair[1])
    async with asyncio.TaskGroup() as group:
        group.create_task(role.run())
        ready = await conductor.hear("ready")
        assert ready == {"is": "ready", "pid": os.getpid(), "prepared": True}
        t0_ns = monotonic_ns()
        conductor.channel.send({"do": "start", "t0_ns": t0_ns})
        tick = await conductor.hear("tick", 3)
        conductor.channel.send({"do": "stop"})
        conductor.channel.send({"do": "something", "more": 1})
        conductor.channel.send({"do": "quit"})
        done = await conductor.hear("done")
    assert done == {"is": "done", "last": "words"}
    assert role.t0_ns == t0_ns
    kinds = [one["is"] for one in conductor.heard]
    assert kinds == ["ready", *["tick"] * (len(kinds) - 2), "done"], "a last tick, then the end"
    moments = [one["t_ns"] for one in conductor.heard if one["is"] == "tick"]
    assert moments == sorted(moments)
    assert moments[0] >= 0
    assert tick["rss_bytes"] > 1 << 20
    assert tick["user_ns"] + tick["system_ns"] > 0
    assert [what for what in role.told if what != "tick"] == [
        *("prepare", "start", "stop", "something", "quit")
    ]
    assert role.told[-2:] == ["tick", "quit"], "what was counted last is told too"
    assert not role.channel.is_open
    conductor.channel.close()


async def test_before_the_start_a_role_reports_nothing(pair: Pair) -> None:
    conductor = Conductor(pair[0])
    role = Recording(asyncio.get_running_loop(), pair[1])
    async with asyncio.TaskGroup() as group:
        group.create_task(role.run())
        await conductor.hear("ready")
        async with asyncio.timeout(10):
            while role.told.count("tick") < 3:
                conductor.channel.send({"do": "turn"})
                await asyncio.sleep(0.002)
        conductor.channel.send({"do": "quit"})
        await conductor.hear("done")
    assert {one["is"] for one in conductor.heard} == {"ready", "done"}
    conductor.channel.close()


@pytest.mark.parametrize("where", ["start", "stop", "something", "quit"])
async def test_a_handler_that_breaks_is_heard_with_its_traceback(pair: Pair, where: str) -> None:
    conductor = Conductor(pair[0])
    role = Recording(asyncio.get_running_loop(), pair[1])
    role.broken_at = where
    async with asyncio.TaskGroup() as group:
        group.create_task(role.run())
        await conductor.hear("ready")
        message: Message = {"do": where}
        if where == "start":
            message["t0_ns"] = 1
        conductor.channel.send(message)
        failed = await conductor.hear("failed")
    assert f"LookupError: broken at {where}" in failed["traceback"]
    assert "in _note" in failed["traceback"]
    assert "done" not in {one["is"] for one in conductor.heard}
    conductor.channel.close()


async def test_last_words_longer_than_the_socket_holds_are_said_to_the_end(pair: Pair) -> None:
    role = Recording(asyncio.get_running_loop(), pair[1])
    role.last_words = {"long": "x" * (4 << 20)}
    async with asyncio.TaskGroup() as group:
        group.create_task(role.run())
        conductor = Conductor(pair[0])
        await conductor.hear("ready")
        conductor.channel.send({"do": "quit"})
        done = await conductor.hear("done")
    assert done["long"] == role.last_words["long"]
    conductor.channel.close()


async def test_a_role_whose_conductor_is_gone_ends(pair: Pair) -> None:
    conductor = Conductor(pair[0])
    role = Recording(asyncio.get_running_loop(), pair[1])
    running = asyncio.ensure_future(role.run())
    await conductor.hear("ready")
    conductor.channel.close()
    with pytest.raises(ConnectionError, match="conductor"):
        await asyncio.wait_for(running, 10)
    assert not role.channel.is_open


async def test_a_role_that_was_stopped_for_a_while_says_so(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(role_module, "PAUSE_NS", 300 * MS)
    conductor = Conductor(pair[0])
    role = Recording(asyncio.get_running_loop(), pair[1])
    async with asyncio.TaskGroup() as group:
        group.create_task(role.run())
        await conductor.hear("ready")
        conductor.channel.send({"do": "pause before the start", "block_s": 0.35})
        t0_ns = monotonic_ns()
        conductor.channel.send({"do": "start", "t0_ns": t0_ns})
        await conductor.hear("tick")
        conductor.channel.send({"do": "pause", "block_s": 0.35})
        pause = await conductor.hear("pause")
        conductor.channel.send({"do": "quit"})
        await conductor.hear("done")
    kinds = [one["is"] for one in conductor.heard]
    assert kinds.index("pause") > kinds.index("tick"), "to be slow before the start is no pause"
    assert pause["gap_ns"] >= 350 * MS
    assert pause["gap_ns"] <= pause["t_ns"] <= monotonic_ns() - t0_ns
    conductor.channel.close()


# To its end, as the crew runs it.


def frames(sock: socket.socket) -> list[Message]:
    """All that was said before the end."""
    sock.settimeout(10)
    decoder, found = Decoder(), []
    while data := sock.recv(1 << 16):
        found += [head for head, _ in decoder.feed(data)]
    return found


def run_to_its_end(
    pair: Pair, loop_name: str, *commands: Message, broken_at: str = ""
) -> tuple[list[Message], BaseException | None]:
    """Run a role with these commands waiting for it; what it said, and what it raised."""
    loop = LOOPS[loop_name]()
    role = Recording(loop, pair[1])
    role.broken_at = broken_at
    pair[0].sendall(b"".join(encode(command) for command in commands))
    raised = None
    try:
        run_role(role)
    except LookupError as error:
        raised = error
    finally:
        role.channel.close()
        loop.close()
    return frames(pair[0]), raised


@pytest.mark.parametrize("loop_name", LOOPS)
def test_a_role_runs_to_its_end_on_its_own_loop(pair: Pair, loop_name: str) -> None:
    said, raised = run_to_its_end(pair, loop_name, {"do": "start", "t0_ns": 1}, {"do": "quit"})
    assert [one["is"] for one in said] == ["ready", "tick", "done"]
    assert raised is None


@pytest.mark.parametrize("loop_name", LOOPS)
def test_a_role_that_cannot_prepare_says_why_and_is_not_ready(pair: Pair, loop_name: str) -> None:
    said, raised = run_to_its_end(pair, loop_name, broken_at="prepare")
    assert [one["is"] for one in said] == ["failed"]
    assert "broken at prepare" in said[0]["traceback"]
    assert isinstance(raised, LookupError), "the crew's exit code must show it"


@pytest.mark.parametrize("loop_name", LOOPS)
@pytest.mark.parametrize("where", ["tick", "callback"])
def test_a_callback_that_breaks_ends_the_role_and_is_not_only_printed(
    pair: Pair, loop_name: str, where: str, capfd: pytest.CaptureFixture[str]
) -> None:
    said, _ = run_to_its_end(pair, loop_name, {"do": "go", "callback": 1}, broken_at=where)
    assert said[-1]["is"] == "failed"
    assert f"broken at {where}" in said[-1]["traceback"]
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("loop_name", LOOPS)
def test_a_role_left_alone_ends_without_a_word_on_stderr(
    pair: Pair, loop_name: str, capfd: pytest.CaptureFixture[str]
) -> None:
    loop = LOOPS[loop_name]()
    role = Recording(loop, pair[1])
    pair[0].close()
    run_role(role)
    loop.close()
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize(("name", "kind"), [("uvloop", uvloop.Loop), ("asyncio", object)])
def test_the_loop_is_the_one_asked_for(name: str, kind: type) -> None:
    loop = new_loop(name)
    assert isinstance(loop, kind)
    assert isinstance(loop, uvloop.Loop) == (name == "uvloop")
    loop.close()


@pytest.mark.parametrize("wanted", [None, 64, 1 << 30])
def test_descriptors_are_as_many_as_asked_for_or_as_the_system_allows(wanted: int | None) -> None:
    def body(_pipe: Any) -> tuple[tuple[int, int], int]:  # noqa: ANN401 - not used
        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (128, hard))
        limit_descriptors(wanted)
        return resource.getrlimit(resource.RLIMIT_NOFILE), hard

    child = Child(body, alarm_s=10)
    limits, hard = child.receive()
    child.join()
    assert limits == (hard if wanted is None else min(wanted, hard), hard)
