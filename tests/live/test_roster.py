"""The conductor's list of its crew, against crews that were written to misbehave."""

from __future__ import annotations

import signal
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import psutil
import pytest

from simulator.clock import monotonic_ns
from simulator.errors import Refused, RunFailed
from simulator.kernel.leftovers import RUN_VARIABLE, run_tag
from simulator.live import roster
from simulator.live.roster import Member, Roster
from simulator.live.settings import CrewSettings, RoleSpec, SamplerRole
from tests.support.runs import S

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from simulator.live.channel import Message

pytestmark = pytest.mark.usefixtures("assert_clean")

#: A crew of two roles that speaks as the test wants; `control`, `one` and `two` are its channels.
CREW = """
import os, socket, sys, time
from simulator.live.channel import encode
control, one, two = (socket.socket(fileno=int(text)) for text in sys.argv[1:])
def say(channel, **head): channel.sendall(encode(head))
def exited(index, code): say(control, **{"is": "exited", "role": "sampler", "index": index, "code": code})
def wait():
    data = b" "
    while data and b'"quit"' not in data: data = control.recv(1 << 16)
"""  # noqa: E501
SETTINGS = CrewSettings(
    sysctls={},
    roles=tuple(
        RoleSpec(kind="sampler", index=index, settings=SamplerRole(every_ns=1, hops=()))
        for index in range(2)
    ),
)


class Ear:
    """A listener that keeps what it is told."""

    def __init__(self, breaks_on: str = "") -> None:
        self.words: list[tuple[str, str, dict[str, Any], bytes]] = []
        self.gone: list[tuple[str, int | None]] = []
        self._breaks_on = breaks_on

    def heard(self, member: Member, word: str, head: Message, tail: bytes) -> None:
        """Keep it, or break."""
        if word == self._breaks_on:
            raise LookupError(f"cannot bear {word}")
        self.words.append((member.name, word, head, tail))

    def lost(self, member: Member) -> None:
        """Keep it, or break."""
        if self._breaks_on == "lost":
            raise LookupError("cannot bear lost")
        self.gone.append((member.name, member.exit_code))


@asynccontextmanager
async def crew(
    folder: Path, monkeypatch: pytest.MonkeyPatch, script: str, ear: Ear | None = None
) -> AsyncIterator[Roster]:
    """A started roster of a crew that runs this script; ended on the way out."""
    monkeypatch.setattr(roster, "CREW_COMMAND", ("-c", CREW + script))
    found = Roster(SETTINGS, folder, ear or Ear())
    found.start()
    try:
        yield found
    finally:
        await found.end()


async def test_roles_are_heard_and_say_their_last_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = """
from simulator.live.channel import encode
say(one, **{"is": "ready", "pid": 7})
one.sendall(encode({"is": "dials"}, b"rows"))
say(one, **{"is": "members", "count": 0})
say(one, **{"is": "done"})
exited(0, 0)
wait()
"""
    ear = Ear()
    async with crew(tmp_path, monkeypatch, script, ear) as found:
        first, second = found.members
        assert await found.wait_until(lambda: first.exit_code is not None, 10.0)
        assert first.ready is not None
        assert first.ready["pid"] == 7
        assert first.members == 0  # none is a count too
        assert first.done == {}  # to have nothing to add is an end as good as any
        assert not first.is_expected
        assert not first.is_lost
        assert second.is_expected
    assert ear.words == [("sampler 0", "dials", {}, b"rows")]
    assert ear.gone == []
    assert not (tmp_path / "crew.log").exists()  # an empty log is not kept


@pytest.mark.parametrize("code", [0, 1, -signal.SIGKILL])
async def test_a_role_that_ends_without_last_words_is_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    ear = Ear()
    script = f"exited(1, {code})\nexited(1, {code})\nsay(one, **{{'is': 'ready'}})\nwait()"
    async with crew(tmp_path, monkeypatch, script, ear) as found:
        assert await found.wait_until(lambda: found.members[0].ready is not None, 10.0)
        assert await found.wait_until(lambda: found.members[1].is_lost, 10.0)
    assert ear.gone == [("sampler 1", code)]


async def test_the_cause_of_an_end_is_heard_before_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = """
say(two, **{"is": "failed", "traceback": "Traceback\\nKeyError: 'it was me'"})
exited(1, 1)
wait()
"""
    async with crew(tmp_path, monkeypatch, script) as found:
        with pytest.raises(RunFailed, match="KeyError: 'it was me'"):
            await found.wait_until(lambda: found.members[1].is_lost, 10.0)
    assert (tmp_path / "failure.txt").read_text().startswith("sampler 1:\nTraceback")


async def test_what_pid_1_refuses_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = "say(control, **{'is': 'refused', 'message': 'not here'})\nwait()"
    async with crew(tmp_path, monkeypatch, script) as found:
        with pytest.raises(Refused, match="not here"):
            await found.wait_until(lambda: False, 10.0)


@pytest.mark.parametrize("breaks_on", ["tick", "lost"])
async def test_an_error_of_the_listener_is_raised_where_the_run_waits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, breaks_on: str
) -> None:
    script = "say(one, **{'is': 'tick'})\nexited(1, 1)\nwait()"
    async with crew(tmp_path, monkeypatch, script, Ear(breaks_on)) as found:
        with pytest.raises(LookupError, match=f"cannot bear {breaks_on}"):
            await found.wait_until(lambda: False, 10.0)


async def test_words_that_are_no_words_end_a_channel_and_no_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = "one.sendall(bytes([255]) * 64)\nexited(0, 1)\nsay(two, **{'is': 'ready'})\nwait()"
    ear = Ear()
    async with crew(tmp_path, monkeypatch, script, ear) as found:
        assert await found.wait_until(lambda: found.members[1].ready is not None, 10.0)
        assert await found.wait_until(lambda: found.members[0].is_lost, 10.0)
    assert ear.gone == [("sampler 0", 1)]


async def test_when_pid_1_goes_everybody_is_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ear = Ear()
    async with crew(tmp_path, monkeypatch, "sys.exit('gone')", ear) as found:
        assert not await found.wait_until(lambda: False, 10.0)
        assert found.has_ended
        assert found.log_tail() == "gone"
        found.tell(found.members, {"do": "start"})  # to speak to nobody is no error
    assert ear.gone == [("sampler 0", None), ("sampler 1", None)]
    assert (tmp_path / "crew.log").read_text() == "gone\n"


async def test_who_will_not_quit_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(roster, "QUIT_WITHIN_S", 0.1)
    script = "say(one, **{'is': 'ready', 'pid': os.getpid()})\ntime.sleep(60)"
    begin = monotonic_ns()
    async with crew(tmp_path, monkeypatch, script) as found:
        first = found.members[0]
        assert await found.wait_until(lambda: first.ready is not None, 10.0)
        assert first.ready is not None
        pid = first.ready["pid"]
    assert monotonic_ns() - begin < 10 * S
    assert not psutil.pid_exists(pid)


async def test_waiting_ends_with_its_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with crew(tmp_path, monkeypatch, "wait()") as found:
        assert not await found.wait_until(lambda: False, 0.05)
        assert await found.wait_until(lambda: True, 0.0)


async def test_the_crew_knows_whose_it_is_and_nothing_of_the_users_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET", "of the user")
    script = "say(one, **{'is': 'ready', 'environment': dict(os.environ)})\nwait()"
    async with crew(tmp_path, monkeypatch, script) as found:
        first = found.members[0]
        assert await found.wait_until(lambda: first.ready is not None, 10.0)
        assert first.ready is not None
        environment = first.ready["environment"]
    assert environment[RUN_VARIABLE] == run_tag(tmp_path.name)
    assert "SECRET" not in environment


async def test_a_crew_that_cannot_be_started_leaves_no_socket(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.executable", "/nonexistent/python")
    found = Roster(SETTINGS, tmp_path, Ear())
    with pytest.raises(FileNotFoundError):
        found.start()
    await found.end()
