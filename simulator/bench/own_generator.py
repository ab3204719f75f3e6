"""Our load generator as a subject: the role of a run, driven as hard as it goes.

Every connection of its plan is due at once, so the open loop never waits: it takes up a batch,
looks at answers, takes up the next. Each row of its ledger is written as in a run (due, sent,
connected, first byte, answered, closed, port, outcome), and what counts is read back from there.
"""

from __future__ import annotations

import asyncio
import gc
import socket
from typing import TYPE_CHECKING, Final

import numpy as np

from simulator.bench.answering import ANSWER_BYTES
from simulator.clock import monotonic_ns
from simulator.live.channel import encode
from simulator.live.ledger import Ledger
from simulator.live.prompt_client import PromptClient
from simulator.live.role import new_loop
from simulator.live.settings import ClientRole, SourceSettings
from simulator.records import (
    CONNECTION_COLUMNS,
    NOT_YET,
    PLAN_COLUMNS,
    SERVICE_COLUMNS,
    Outcome,
)

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

REQUEST_BYTES: Final = 24
_LOOK_S: Final = 0.01
_TIMEOUT_NS: Final = 10_000_000_000


def write_ledger(folder: Path, connections: int, per_s: float) -> None:
    """Plan and empty records for connections of one request each.

    Args:
        folder: an empty folder.
        connections: how many.
        per_s: due at so many a second from the start on; 0 = all at once.
    """
    plan = {
        "requests": 1,
        "request_bytes": REQUEST_BYTES,
        "response_bytes": ANSWER_BYTES,
    }
    (folder / "plan").mkdir()
    (folder / "connections").mkdir()
    for name, dtype in (PLAN_COLUMNS | SERVICE_COLUMNS).items():
        column = np.full(connections, plan.get(name, 0), dtype=dtype)
        if name == "due_ns" and per_s:
            column[:] = np.arange(connections) * (1e9 / per_s)
        np.save(folder / "plan" / f"{name}.npy", column)
    for name, dtype in CONNECTION_COLUMNS.items():
        initial = NOT_YET if name.endswith("_ns") or name == "backend" else 0
        np.save(folder / "connections" / f"{name}.npy", np.full(connections, initial, dtype))


def drive(folder: Path, front: tuple[str, int], sources: Sequence[str], longest_s: float) -> None:
    """Work through a plan in this process; the records are complete when this returns.

    Args:
        folder: as `write_ledger` made it.
        front: where to connect to.
        sources: source addresses; none = a plain connect.
        longest_s: what is not done by then stays open or unsent in the records.
    """
    ledger = Ledger(folder)
    near, far = socket.socketpair()
    near.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 22)
    loop = new_loop("uvloop")
    source = SourceSettings(
        addresses=tuple(sources), mode="kernel", pick="random", first=1024, last=65_535, seed=1
    )
    settings = ClientRole(
        workers=1,
        folder=str(folder),
        source=source,
        front=front,
        policy="round-robin",
        choices=2,
        close="client",
        timeout_ns=_TIMEOUT_NS,
        seed=1,
    )
    client = PromptClient(loop, near, 0, settings, ledger)
    loop.set_exception_handler(client.on_loop_error)

    async def work() -> None:
        role = asyncio.Task(client.run(), loop=asyncio.get_running_loop())
        gc.collect()
        gc.freeze()  # as the crew does before it forks
        far.sendall(encode({"do": "start", "t0_ns": monotonic_ns()}))
        ends = monotonic_ns() + int(longest_s * 1e9)
        while client.ok + client.failed + client.not_sent < len(ledger):
            await asyncio.sleep(_LOOK_S)
            if role.done() or monotonic_ns() > ends:
                break
        far.sendall(encode({"do": "quit"}))
        await role

    gc.set_threshold(200_000, 20, 20)
    loop.run_until_complete(work())
    loop.close()
    far.close()


def read_back(folder: Path) -> tuple[int, int, float]:
    """What the records say: connections that went well, that did not, and seconds they took.

    A connection went well when each of its moments is there and in order.
    """
    rows = {
        name: np.load(folder / "connections" / f"{name}.npy", mmap_mode="r")
        for name in ("sent_ns", "connected_ns", "first_byte_ns", "answered_ns", "closed_ns")
    }
    outcome = np.load(folder / "connections" / "outcome.npy", mmap_mode="r")
    moments = np.stack(list(rows.values()))
    is_well = (outcome == Outcome.OK) & (moments[0] >= 0) & (np.diff(moments, axis=0) >= 0).all(0)
    well = int(is_well.sum())
    return well, len(outcome) - well, float(rows["closed_ns"].max()) / 1e9
