"""The crew's processes, driven by hand over their sockets: what starts them and what ends them."""

from __future__ import annotations

import asyncio
import os
import select
import signal
import socket
import struct
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import psutil
import pytest

from simulator.live.channel import Decoder, encode
from simulator.live.crew import build_role
from simulator.live.settings import CrewSettings, RoleSpec, SamplerRole
from tests.support.command import wait_gone

if TYPE_CHECKING:
    from collections.abc import Iterator

    from simulator.live.channel import Message

pytestmark = pytest.mark.namespace

WITHIN_S = 10.0
MODULE = ("-m", "simulator.live.crew")
SETTINGS = CrewSettings(
    sysctls={"net.ipv4.ip_local_port_range": "51000 51999"},
    roles=tuple(
        RoleSpec(
            kind="sampler",
            index=index,
            settings=SamplerRole(every_ns=50_000_000, hops=()),
            loop=("asyncio", "uvloop")[index],
        )
        for index in range(2)
    ),
)
#: Roles that have children of their own: one that ends at once and one that lives in a session
#: of its own, both orphaned; the role says so on its channel and goes on.
CHILDREN = """
import os, signal, sys, time
from simulator.kernel.namespace import outer_pid
from simulator.live import crew, sampler
def orphan(lives):
    ours, theirs = os.pipe()
    if os.fork():
        os.wait()
        return int(os.read(ours, 20))
    if os.fork() == 0:
        os.setsid()
        signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
        os.write(theirs, str(outer_pid()).encode())
        time.sleep(60 if lives else 0)
    os._exit(0)
async def prepare(self):
    return {"orphans": [orphan(False), orphan(True)]}
sampler.Sampler.prepare = prepare
sys.exit(crew.main(sys.argv[1:]))
"""


class Line:
    """The conductor's end of one channel, read without a loop."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        sock.settimeout(WITHIN_S)
        self._decoder = Decoder()
        self._heard: list[Message] = []

    def send(self, *heads: Message) -> None:
        """All of them in one write."""
        self.sock.sendall(b"".join(encode(head) for head in heads))

    def hear(self, word: str) -> Message:
        """The next message of a kind; what comes before it is skipped."""
        while True:
            for at, head in enumerate(self._heard):
                if head["is"] == word:
                    del self._heard[: at + 1]
                    return head
            data = self.sock.recv(1 << 16)
            assert data, f"it ended without {word}; heard {self._heard}"
            self._heard += [head for head, _ in self._decoder.feed(data)]

    def is_over(self) -> bool:
        """Whether the other end is closed, after whatever it still has to say."""
        try:
            while self.sock.recv(1 << 16):
                pass
        except ConnectionResetError:
            pass  # it went without reading everything
        return True


class Crew:
    """A crew's first process and our ends of its channels."""

    def __init__(self, process: subprocess.Popen[str], lines: list[Line]) -> None:
        self.process = process
        self.control, *self.roles = lines

    def begin(self, **changes: Any) -> dict[str, int]:  # noqa: ANN401 - JSON values
        """Tell it everything; returns the pids of PID 1 and of its roles once they are ready."""
        first = {"conductor": os.getpid(), "crew": SETTINGS.to_json()} | changes
        self.control.send(first)
        pids = {"init": int(self.control.hear("crew")["init"])}
        for index, role in enumerate(self.roles):
            pids[f"sampler {index}"] = int(role.hear("ready")["pid"])
        return pids

    def end(self) -> tuple[int, str]:
        """Its exit code and what it wrote."""
        _, text = self.process.communicate(timeout=WITHIN_S)
        return self.process.returncode, text


@contextmanager
def crew(command: tuple[str, ...] = MODULE) -> Iterator[Crew]:
    """A crew that has been started and told nothing."""
    pairs = [socket.socketpair() for _ in range(1 + len(SETTINGS.roles))]
    process = subprocess.Popen(
        [sys.executable, *command, *(str(far.fileno()) for _, far in pairs)],
        pass_fds=[far.fileno() for _, far in pairs],
        stdin=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    for _, far in pairs:
        far.close()
    try:
        yield Crew(process, [Line(near) for near, _ in pairs])
    finally:
        process.kill()
        process.communicate()
        for near, _ in pairs:
            near.close()


def test_it_starts_its_roles_and_ends_with_them_when_told() -> None:
    with crew() as found:
        found.control.send({"conductor": os.getpid(), "crew": SETTINGS.to_json()})
        started = found.control.hear("crew")
        assert started["mode"] in ("user", "root")
        assert started["sysctls"]["net.ipv4.ip_local_port_range"] == "51000 51999"
        pids = {f"sampler {at}": line.hear("ready")["pid"] for at, line in enumerate(found.roles)}
        pids["init"] = started["init"]
        parents = {psutil.Process(pids[f"sampler {at}"]).ppid() for at in range(2)}
        assert parents == {started["init"]}
        assert psutil.Process(started["init"]).ppid() == found.process.pid
        found.control.send({"do": "quit"})
        assert found.end() == (0, "")
        assert wait_gone(pids, 0.0) == []  # the first process ends after all the others


def test_a_role_that_ends_is_told_with_its_code() -> None:
    with crew() as found:
        pids = found.begin()
        found.roles[1].send({"do": "quit"})
        assert "samples" in found.roles[1].hear("done")
        ended = found.control.hear("exited")
        assert (ended["role"], ended["index"], ended["code"]) == ("sampler", 1, 0)
        os.kill(pids["sampler 0"], signal.SIGKILL)
        ended = found.control.hear("exited")
        assert (ended["index"], ended["code"]) == (0, -signal.SIGKILL)


@pytest.mark.parametrize(
    "garbage",
    [
        b"\xff" * 64,
        b"GET / HTTP/1.1\r\n\r\n",
        struct.pack("<II", 6, 2) + b"[]",
        struct.pack("<II", 8, 4) + b"nope",
    ],
)
def test_a_conductor_that_speaks_no_frames_is_left(garbage: bytes) -> None:
    with crew() as found:
        found.control.sock.sendall(garbage)
        code, text = found.end()
    assert code == 1
    assert text.startswith("the crew was not told what to do: a frame")
    assert len(text.splitlines()) == 1


def test_garbage_after_the_beginning_ends_everything_and_says_why() -> None:
    with crew() as found:
        pids = found.begin()
        found.control.sock.sendall(b"\xff" * 64)
        assert "ChannelBroken" in found.control.hear("failed")["traceback"]
        assert found.end()[0] == 1
        assert wait_gone(pids, 0.0) == []


def test_a_conductor_that_says_nothing_whole_before_it_goes_is_left() -> None:
    with crew() as found:
        found.control.sock.sendall(encode({"conductor": os.getpid()})[:-3])
        found.control.sock.shutdown(socket.SHUT_WR)
        code, text = found.end()
    assert (code, text.strip()) == (
        1,
        "the crew was not told what to do: the conductor is gone",
    )


def test_somebody_elses_child_does_not_stay() -> None:
    with crew() as found:
        found.control.send({"conductor": 1, "crew": SETTINGS.to_json()})
        assert found.end() == (1, "")


def test_a_quit_that_comes_with_the_beginning_is_not_lost() -> None:
    with crew() as found:
        first = {"conductor": os.getpid(), "crew": SETTINGS.to_json()}
        found.control.send(first, {"do": "quit"})
        assert found.end() == (0, "")


def test_half_a_message_keeps_nobody_from_being_reaped() -> None:
    with crew() as found:
        pids = found.begin()
        whole = encode({"do": "quit"})
        found.control.sock.sendall(whole[:7])
        os.kill(pids["sampler 0"], signal.SIGKILL)
        assert found.control.hear("exited")["index"] == 0
        found.control.sock.sendall(whole[7:])
        assert found.end() == (0, "")


def test_it_ends_when_the_conductors_end_closes() -> None:
    with crew() as found:
        pids = found.begin()
        found.control.sock.shutdown(socket.SHUT_RDWR)
        assert found.end()[0] == 1
        assert wait_gone(pids, 0.0) == []


def test_a_role_whose_channel_closes_ends_quietly() -> None:
    with crew() as found:
        found.begin()
        found.roles[0].sock.shutdown(socket.SHUT_RDWR)
        ended = found.control.hear("exited")
        assert (ended["index"], ended["code"]) == (0, 0)
        found.control.send({"do": "quit"})
        assert found.end() == (0, "")


def test_orphans_are_reaped_and_those_in_sessions_of_their_own_are_killed() -> None:
    with crew(("-c", CHILDREN)) as found:
        found.control.send({"conductor": os.getpid(), "crew": SETTINGS.to_json()})
        init = found.control.hear("crew")["init"]
        ready = [role.hear("ready") for role in found.roles]
        brief = {str(pid): pid for one in ready for pid in one["orphans"][:1]}
        lasting = {str(pid): pid for one in ready for pid in one["orphans"][1:]}
        assert wait_gone(brief) == []
        # A pidfd is readable when its process is a zombie; gone for good is one that was reaped.
        assert reaped(brief.values())
        assert {psutil.Process(pid).ppid() for pid in lasting.values()} == {init}
        assert not select.select([found.control.sock], [], [], 0.0)[0]  # without a word
        found.control.send({"do": "quit"})
        assert found.end() == (0, "")
        assert wait_gone(lasting, 0.0) == []


def reaped(pids: Any) -> bool:  # noqa: ANN401 - any iterable of ints
    """Whether processes that have ended are gone from the table too, or go within a time."""
    _, left = psutil.wait_procs(
        [psutil.Process(pid) for pid in pids if psutil.pid_exists(pid)], timeout=WITHIN_S
    )
    return not left


@pytest.mark.parametrize("victim", ["first", "init"])
def test_when_one_above_is_killed_all_below_go(victim: str) -> None:
    with crew() as found:
        pids = found.begin()
        os.kill(found.process.pid if victim == "first" else pids["init"], signal.SIGKILL)
        found.end()
        assert wait_gone(pids) == []
        assert all(line.is_over() for line in (found.control, *found.roles))


#: A conductor that starts a crew, says its pid and waits to be killed.
CONDUCTOR = """
import subprocess, sys, time
crew = subprocess.Popen([sys.executable, *sys.argv[1:]], close_fds=False)
print(crew.pid, flush=True)
time.sleep(60)
"""


def test_the_conductors_death_is_enough_though_its_channels_stay_open() -> None:
    pairs = [socket.socketpair() for _ in range(1 + len(SETTINGS.roles))]
    for _, far in pairs:
        far.set_inheritable(True)
    conductor = subprocess.Popen(
        [sys.executable, "-c", CONDUCTOR, *MODULE, *(str(far.fileno()) for _, far in pairs)],
        pass_fds=[far.fileno() for _, far in pairs],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
    )
    for _, far in pairs:
        far.close()
    control, *roles = [Line(near) for near, _ in pairs]
    try:
        assert conductor.stdout is not None
        pids = {"first": int(conductor.stdout.readline())}
        control.send({"conductor": conductor.pid, "crew": SETTINGS.to_json()})
        pids["init"] = control.hear("crew")["init"]
        for index, role in enumerate(roles):
            pids[f"sampler {index}"] = role.hear("ready")["pid"]
    finally:
        conductor.kill()
        conductor.communicate()
    assert wait_gone(pids) == []
    for near, _ in pairs:
        near.close()


async def test_each_specification_becomes_a_role_of_its_kind() -> None:
    near, far = socket.socketpair()
    role = build_role(asyncio.get_running_loop(), far, SETTINGS.roles[1], None)
    assert (role.kind, role.index) == ("sampler", 1)
    role.on_quit()
    role.channel.close()
    near.close()
