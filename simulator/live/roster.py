"""The roster: one run's crew as the conductor sees it, its process, its channels, its last words.

The roster starts the crew, hands on what each role says, notices who is lost, and ends everybody.
It knows nothing of traffic or records; a `Listener` does. What goes wrong in a callback is kept and
raised where the run's own story can see it (`check`), since a loop would only print it.
"""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

import simulator
from simulator.clock import monotonic_ns
from simulator.errors import Refused, RunFailed
from simulator.kernel.leftovers import RUN_VARIABLE, run_tag
from simulator.live.channel import Channel, Message

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from simulator.live.settings import CrewSettings, RoleSpec

QUIT_WITHIN_S: Final = 5.0
#: ``-P``: a folder of the user's that happens to hold a `simulator` or a `json` is not imported.
CREW_COMMAND: Final = ("-P", "-m", "simulator.live.crew")
_LOG_TAIL: Final = 2000
_PACKAGE_ROOT: Final = str(Path(simulator.__file__).parent.parent)


@dataclass(slots=True, eq=False)
class Member:
    """One role as the conductor sees it.

    Attributes:
        ready: what it said when it was ready, with ``at_ns`` (monotonic) when that was heard.
        members: how many backends it says it knows, None until it was told of any.
        done: its last words.
        lost_ns: monotonic time at which it was found to have ended without last words.
        exit_code: how it ended; negative is a signal; None while it runs or where nobody saw it.
    """

    spec: RoleSpec
    channel: Channel | None = None
    ready: Message | None = None
    members: int | None = None
    done: Message | None = None
    lost_ns: int | None = None
    exit_code: int | None = None

    @property
    def name(self) -> str:
        """Kind and index, as in ``client 0``."""
        return f"{self.spec.kind} {self.spec.index}"

    @property
    def is_lost(self) -> bool:
        """Whether it ended without last words."""
        return self.lost_ns is not None

    @property
    def is_expected(self) -> bool:
        """Whether it still has something to say."""
        return self.done is None and not self.is_lost


class Listener(Protocol):
    """Who is told what the roles say and what becomes of them."""

    def heard(self, member: Member, word: str, head: Message, tail: bytes) -> None:
        """A role said something that is not about its own beginning or end."""
        ...

    def lost(self, member: Member) -> None:
        """A role ended without last words."""
        ...


class Roster:
    """All roles of one run and the processes behind them.

    Args:
        settings: what the crew is told.
        folder: the run's folder; the crew's standard streams go to ``crew.log`` in it.
        listener: who is told.

    Attributes:
        members: in the order of ``settings.roles``.
        begun_ns: monotonic time at which the crew's first process was started.
        started: what PID 1 of the namespaces said of itself, None until it did.
        has_ended: whether PID 1 is gone.
    """

    def __init__(self, settings: CrewSettings, folder: Path, listener: Listener) -> None:
        self.members = [Member(spec) for spec in settings.roles]
        self.begun_ns = 0
        self.started: Message | None = None
        self.has_ended = False
        self._settings = settings
        self._folder = folder
        self._listener = listener
        self._process: subprocess.Popen[bytes] | None = None
        self._control: Channel | None = None
        self._news = asyncio.Event()
        self._refused: str | None = None
        self._failure: str | None = None
        self._error: Exception | None = None
        self._is_ending = False

    def of(self, *kinds: str) -> list[Member]:
        """The members of some kinds."""
        return [member for member in self.members if member.spec.kind in kinds]

    def tell(self, members: Iterable[Member], message: Message) -> None:
        """Send one message to each; who is gone does not hear it."""
        for member in members:
            if member.channel is not None:
                member.channel.send(message)

    # The beginning.

    def start(self) -> None:
        """Start the crew's first process and tell it everything; returns before it is ready."""
        loop = asyncio.get_running_loop()
        with ExitStack() as ours, ExitStack() as theirs:
            near, far = [], []
            for _ in range(1 + len(self.members)):
                here, there = socket.socketpair()
                near.append(ours.enter_context(here))
                far.append(theirs.enter_context(there))
            self.begun_ns = monotonic_ns()
            self._process = self._start_process([one.fileno() for one in far])
            control = Channel(loop, near[0], self._on_control, self._on_control_end)
            self._control = control
            for member, sock in zip(self.members, near[1:], strict=True):
                member.channel = Channel(loop, sock, self._hearer(member), self._on_channel_end)
            ours.pop_all()  # the channels own them from here on
        control.send({"conductor": os.getpid(), "crew": self._settings.to_json()})

    def _start_process(self, descriptors: list[int]) -> subprocess.Popen[bytes]:
        with self._log_path.open("ab") as log:
            return subprocess.Popen(
                [sys.executable, *CREW_COMMAND, *map(str, descriptors)],
                pass_fds=descriptors,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=self._environment(),
                start_new_session=True,  # Ctrl-C is for the conductor, which tells the crew
            )

    def _environment(self) -> dict[str, str]:
        """A cleared environment: what Python needs, and the tag `clean` looks for.

        The crew imports from where the conductor did, whether that is a virtual environment, a
        path of the user's or a checkout.
        """
        kept = {name: os.environ[name] for name in ("PATH", "LANG", "TZ") if name in os.environ}
        return {
            **kept,
            "PYTHONPATH": os.pathsep.join([_PACKAGE_ROOT, *filter(None, sys.path)]),
            "OPENBLAS_NUM_THREADS": "1",
            "OMP_NUM_THREADS": "1",
            RUN_VARIABLE: run_tag(self._folder.name),
        }

    # What PID 1 and the roles say.

    def _on_control(self, head: Message, _tail: bytes) -> None:
        word = head.get("is")
        if word == "crew":
            self.started = {**head, "at_ns": monotonic_ns()}
        elif word == "refused":
            self._refused = str(head["message"])
        elif word == "failed":
            self._fail(str(head["traceback"]))
        elif word == "exited":
            for member in self.members:
                if (member.spec.kind, member.spec.index) == (head["role"], head["index"]):
                    self._on_exit(member, int(head["code"]))
        self._news.set()

    def _on_exit(self, member: Member, code: int) -> None:
        member.exit_code = code
        if member.channel is not None:
            member.channel.drain()  # last words travel apart from the news of the end
        if not self._is_ending:
            self.give_up(member)

    def _on_control_end(self, _why: str) -> None:
        self.has_ended = True
        if not self._is_ending:
            for member in self.members:
                self.give_up(member)
        self._news.set()

    def give_up(self, member: Member) -> None:
        """Expect nothing more of a member that still owes its last words."""
        if not member.is_expected:
            return
        member.lost_ns = monotonic_ns()
        try:
            self._listener.lost(member)
        except Exception as error:  # noqa: BLE001 - raised by `check`
            self._error = self._error or error
        self._news.set()

    def _on_channel_end(self, _why: str) -> None:
        # Whether the role was lost is known when PID 1 says how it ended.
        self._news.set()

    def _hearer(self, member: Member) -> Callable[[Message, bytes], None]:
        def hear(head: Message, tail: bytes) -> None:
            word = str(head.pop("is", ""))
            try:
                self._hear(member, word, head, tail)
            except Exception as error:  # noqa: BLE001 - raised by `check`
                self._error = self._error or error
                self._news.set()

        return hear

    def _hear(self, member: Member, word: str, head: Message, tail: bytes) -> None:
        if word == "ready":
            member.ready = {**head, "at_ns": monotonic_ns()}
        elif word == "members":
            member.members = head["count"]
        elif word == "done":
            member.done = head
        elif word == "refused":
            self._refused = str(head["message"])
        elif word == "failed":
            self._fail(f"{member.name}:\n{head['traceback']}")
        else:
            self._listener.heard(member, word, head, tail)
            return  # nobody waits for what is heard many times a second
        self._news.set()

    def _fail(self, text: str) -> None:
        self._failure = self._failure or text  # the first failure is the cause of the others

    def check(self) -> None:
        """Raise what has gone wrong so far.

        Raises:
            Refused: the crew cannot be had on this machine.
            RunFailed: a role or PID 1 broke; its traceback is in ``failure.txt``.
            Exception: whatever the listener raised.
        """
        if self._error is not None:
            raise self._error
        if self._refused is not None:
            raise Refused(self._refused)
        if self._failure is not None:
            path = self._folder / "failure.txt"
            path.write_text(self._failure)
            last = self._failure.strip().splitlines()[-1]
            raise RunFailed(
                f"A role of the run broke: {last}\nIts traceback is in {path}; what was measured "
                "until then is kept."
            )

    async def wait_until(self, holds: Callable[[], bool], within_s: float) -> bool:
        """Wait for news until a condition holds; says whether it does when time or crew is over.

        Raises:
            Exception: as `check`.
        """
        try:
            async with asyncio.timeout(within_s):
                while True:
                    self.check()
                    if holds():
                        return True
                    if self.has_ended:
                        return False
                    self._news.clear()
                    await self._news.wait()
        except TimeoutError:
            return False

    # The end.

    def log_tail(self) -> str:
        """The end of what the crew wrote to its standard streams."""
        try:
            return self._log_path.read_text(errors="replace").strip()[-_LOG_TAIL:]
        except OSError:
            return ""

    @property
    def _log_path(self) -> Path:
        return self._folder / "crew.log"

    async def end(self) -> None:
        """End PID 1 and, with it, all that lives below; returns when the kernel has done so."""
        self._is_ending = True
        if self._control is not None:
            self._control.send({"do": "quit"})
        if self._process is not None:
            # The first process ends after PID 1, which ends after everything in its namespace.
            if not await _wait_for_end(self._process.pid, QUIT_WITHIN_S):
                self._process.kill()
                if self.started is not None:
                    await _wait_for_end(self.started["init"], QUIT_WITHIN_S)
            self._process.wait()
        for member in self.members:
            if member.channel is not None:
                member.channel.close()
        if self._control is not None:
            self._control.close()
        if self._log_path.exists() and self._log_path.stat().st_size == 0:
            self._log_path.unlink()


async def _wait_for_end(pid: int, within_s: float) -> bool:
    """Whether a process ended within a time; needs neither a thread nor a signal handler."""
    try:
        watched = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    loop.add_reader(watched, ended.set)
    try:
        async with asyncio.timeout(within_s):
            await ended.wait()
    except TimeoutError:
        return False
    finally:
        loop.remove_reader(watched)
        os.close(watched)
    return True
