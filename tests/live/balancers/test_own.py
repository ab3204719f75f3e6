"""The own balancer as a role: what it accepts, relays and refuses, and what it tells of that."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

import pytest

from simulator.clock import monotonic_ns
from simulator.live.balancers.own import OwnBalancer
from simulator.live.settings import BalancerRole, SourceSettings
from simulator.records import Call, Ending, Hop
from tests.support.minders import Conductor
from tests.support.namespace import LOOPS, in_namespace

pytestmark = pytest.mark.namespace

FRONT = ("127.2.0.1", 8080)
BACKEND = "127.4.0.1"


def settings() -> BalancerRole:
    return BalancerRole(
        front=FRONT,
        reuse_port=False,
        policy="round-robin",
        choices=2,
        source=SourceSettings(
            addresses=("127.3.0.1",), mode="userspace", pick="random", first=30_000, last=30_099,
            seed=1,
        ),
        connect_timeout_ns=1_000_000_000,
        idle_timeout_ns=60_000_000_000,
        retries=0,
        buffer_bytes=1 << 16,
        backlog=64,
        seed=1,
    )  # fmt: skip


async def shout(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """A backend that answers in capitals until its client goes."""
    while data := await reader.read(100):
        writer.write(data.upper())
    writer.close()


async def exchange(text: bytes) -> bytes:
    """One connection through the balancer; b"" when it is cut."""
    try:
        reader, writer = await asyncio.open_connection(*FRONT)
        writer.write(text)
        answer = await reader.read(100)
    except ConnectionResetError:
        return b""
    writer.close()
    return answer


async def conduct() -> dict[str, Any]:
    """A whole life of the role: ready, introduced, three connections, no backend, the end."""
    loop = asyncio.get_running_loop()
    ours, theirs = socket.socketpair()
    conductor = Conductor(ours)
    role = OwnBalancer(loop, theirs, 0, settings())
    found: dict[str, Any] = {}
    async with asyncio.TaskGroup() as group:
        group.create_task(role.run(), name="balancer")
        server = await asyncio.start_server(shout, BACKEND, 0)
        port = server.sockets[0].getsockname()[1]
        found["ready"] = await conductor.hear("ready")
        insert = [[7, BACKEND, port], [9, BACKEND, port]]
        conductor.channel.send({"do": "membership", "insert": insert, "remove": []})
        found["members"] = await conductor.hear("members")
        found["t0_ns"] = monotonic_ns()
        conductor.channel.send({"do": "start", "t0_ns": found["t0_ns"]})
        await conductor.hear("tick")
        found["answers"] = [await exchange(text) for text in (b"one", b"two", b"three")]
        await conductor.hear("tick", lambda head: head["accepted"] == 3 and not head["active"])
        conductor.channel.send({"do": "membership", "insert": [], "remove": [7, 9]})
        await conductor.hear("members", lambda head: head["count"] == 0)
        found["answers"].append(await exchange(b"four"))
        await conductor.hear("refusals")
        conductor.channel.send({"do": "membership", "insert": insert, "remove": []})
        await conductor.hear("members", lambda head: head["count"] == 2)
        reader, writer = await asyncio.open_connection(*FRONT)
        writer.write(b"held")
        found["answers"].append(await reader.read(100))
        conductor.channel.send({"do": "quit"})
        found["done"] = await conductor.hear("done")
        writer.close()
        server.close()
    found["last"] = [head for head, _ in conductor.heard if head["is"] == "tick"][-1]
    found["words"] = [head["is"] for head, _ in conductor.heard]
    found["dials"] = conductor.rows("dials")
    found["refusals"] = conductor.rows("refusals")
    found["end_ns"] = monotonic_ns()
    conductor.channel.close()
    return found


def life(loop: str) -> dict[str, Any]:
    with asyncio.Runner(loop_factory=LOOPS[loop]) as runner:
        return runner.run(conduct())


@pytest.mark.parametrize("loop", LOOPS)
def test_a_balancers_life_from_ready_to_its_last_words(loop: str) -> None:
    found = in_namespace(life, loop)
    assert found["ready"]["pid"] > 0
    assert found["members"] == {"is": "members", "count": 2}
    assert found["answers"] == [b"ONE", b"TWO", b"THREE", b"", b"HELD"]

    dials = found["dials"]
    assert dials["error"] == [0] * 4
    assert sorted(dials["backend"][:3]) in ([7, 7, 9], [7, 9, 9])  # in turn
    assert all(30_000 <= port <= 30_099 for port in dials["port"])
    assert len(set(dials["port"][:3])) == 3  # those that closed are in TIME_WAIT
    lived = found["end_ns"] - found["t0_ns"]
    assert all(0 < t_ns < lived for t_ns in dials["t_ns"])

    refusals = found["refusals"]
    assert refusals["hop"] == [Hop.BALANCER_BACKEND]
    assert (refusals["call"], refusals["error"]) == ([Call.PICK], [Ending.NO_BACKEND])
    assert refusals["backend"] == [-1]
    assert 0 < refusals["accepted_ns"][0] <= refusals["t_ns"][0] < lived

    last = found["last"]
    assert (last["accepted"], last["refused"], last["dialed"]) == (5, 1, 4)
    assert sum(last["picks"].values()) == 4
    assert set(last["picks"]) == {"7", "9"}
    sizes = [len(text) for text in (b"one", b"two", b"three", b"held")]
    assert last["bytes_up"] == last["bytes_down"] == sum(sizes)
    assert found["done"] == {"is": "done", "active": 1}
    assert found["words"][-1] == "done"  # after it nothing


def die(loop: str) -> list[str]:
    """How a role ends when its conductor's end closes."""

    async def watch() -> list[str]:
        ours, theirs = socket.socketpair()
        role = OwnBalancer(asyncio.get_running_loop(), theirs, 0, settings())
        ours.close()
        try:
            await role.run()
        except ConnectionError as error:
            return [str(error)]
        return []

    with asyncio.Runner(loop_factory=LOOPS[loop]) as runner:
        return runner.run(watch())


@pytest.mark.parametrize("loop", LOOPS)
def test_without_a_conductor_it_ends(loop: str) -> None:
    (why,) = in_namespace(die, loop)
    assert why.startswith("conductor: ")


def test_a_front_that_is_taken_is_an_error_at_once() -> None:
    def meet() -> str:
        async def watch() -> str:
            loop = asyncio.get_running_loop()
            with socket.create_server(FRONT):
                ours, theirs = socket.socketpair()
                with ours, theirs, pytest.raises(OSError, match="in use") as taken:
                    OwnBalancer(loop, theirs, 0, settings())
            return str(taken.value)

        return asyncio.run(watch())

    assert "Address already in use" in in_namespace(meet)
