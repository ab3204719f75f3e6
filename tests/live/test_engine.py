"""The kernel engine whole, in this process: what a run writes down, and how a broken one ends."""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from simulator.clock import monotonic_ns
from simulator.errors import Refused, ResultsIncomplete, RunFailed
from simulator.kernel import sysctls
from simulator.live import engine, roster
from simulator.live.engine import KernelEngine
from simulator.measure.backends import leases
from simulator.ports.lease import Lease, overlaps
from simulator.ports.range import PortRange
from simulator.records import NOT_YET, Outcome
from simulator.store.read import load_run
from tests.support.jobs import Watcher, steady, write_job
from tests.support.runs import MS, S

if TYPE_CHECKING:
    from collections.abc import Mapping

    from simulator.engine import Progress, Run
    from simulator.scenario.schema import Scenario

pytestmark = pytest.mark.namespace

#: A crew of this project in which one thing is different.
PATCHED = """
import asyncio, os, sys
from simulator.live import crew, client
{patch}
sys.exit(crew.main(sys.argv[1:]))
"""


async def run(
    root: Path, asked: Scenario, watch: Watcher | None = None, loop: str = "uvloop"
) -> Run:
    """Run a job and read it back."""
    with write_job(root, asked) as writer:
        await KernelEngine(loop).run(writer.job, writer, watch or Watcher())
        return load_run(writer.folder)


def patch_crew(monkeypatch: pytest.MonkeyPatch, patch: str) -> None:
    monkeypatch.setattr(roster, "CREW_COMMAND", ("-P", "-c", PATCHED.format(patch=patch)))


def events(found: Run, name: str) -> list[Mapping[str, Any]]:
    return [event for event in found.events if event["event"] == name]


WARM = [
    {"name": "warm", "for": "200ms", "warmup": True, "arrivals": {"constant": "100/s"}},
    {"name": "main", "for": "400ms", "arrivals": {"constant": "100/s"}, "requests": 2},
]


async def test_every_stream_of_a_run_is_there_and_says_the_same(tmp_path: Path) -> None:
    balancer = {"workers": 2, "source": {"ports": "userspace"}}
    asked = steady(traffic=WARM, clients={"processes": 2}, balancer=balancer)
    watch = Watcher()
    ours = type(asyncio.get_running_loop()).__module__.partition(".")[0]  # the roles' kind too
    found = await run(tmp_path, asked, watch, ours)
    rows = found.connections
    planned = len(rows["outcome"])
    assert planned == 60
    assert set(rows["outcome"]) == {Outcome.OK}
    moments = ["sent_ns", "connected_ns", "first_byte_ns", "answered_ns", "closed_ns"]
    for before, after in itertools.pairwise(moments):
        assert (rows[before] <= rows[after]).all()
    assert (rows["sent_ns"] >= found.plan["due_ns"]).all()
    assert (rows["closed_ns"] < asked.duration_ns + asked.grace).all()

    dialed = found.dials
    assert len(dialed["t_ns"]) == planned
    assert set(dialed["error"]) == {0}
    assert ((dialed["port"] >= 50_000) & (dialed["port"] <= 50_999)).all()
    assert set(dialed["backend"]) == {0, 1, 2}
    assert len(found.refusals["t_ns"]) == 0
    assert (dialed["t_ns"] >= 0).all()
    assert int(dialed["t_ns"].max()) <= int(rows["closed_ns"].max())

    assert_roles(found, planned)
    assert_samples(found)
    assert watch.states == ["starting", "running"] or watch.states[-1] == "draining"


def assert_roles(found: Run, planned: int) -> None:
    """Each process ticked, its counters only grew, and the last ones add up."""
    ticks: dict[tuple[str, int], list[Mapping[str, Any]]] = {}
    for tick in found.roles:
        ticks.setdefault((tick["role"], tick["index"]), []).append(tick)
    assert set(ticks) == {
        *(("backend", 0), ("backend", 1), ("balancer", 0), ("balancer", 1)),
        *(("client", 0), ("client", 1), ("sampler", 0)),
    }
    for of_one in ticks.values():
        cpu = [tick["user_ns"] + tick["system_ns"] for tick in of_one]
        assert cpu == sorted(cpu)
        assert cpu[0] > 0
        assert all(tick["rss_bytes"] > 1 << 20 for tick in of_one)
        assert [tick["t_ns"] for tick in of_one] == sorted(tick["t_ns"] for tick in of_one)
    last = {role: of_one[-1] for role, of_one in ticks.items()}
    for role, counter in (("client", "sent"), ("client", "ok"), ("balancer", "accepted")):
        assert sum(tick[counter] for (kind, _), tick in last.items() if kind == role) == planned
    assert sum(last["backend", index]["accepted"] for index in (0, 1)) == planned
    assert sum(last["backend", index]["answered"] for index in (0, 1)) == 20 + 2 * 40


def assert_samples(found: Run) -> None:
    """The table was read from the start to the end, and nothing is open after it."""
    times = [sample["t_ns"] for sample in found.samples]
    assert times == sorted(times)
    assert times[0] < 200 * MS
    assert times[-1] >= 600 * MS
    assert all(set(one["hops"]) == {"client-balancer", "balancer-backend"} for one in found.samples)
    last = found.samples[-1]
    assert last["hops"]["balancer-backend"]["established"] == 0
    assert last["hops"]["balancer-backend"]["distinct_ports"] <= 60
    assert last["counters"]["Tcp.ActiveOpens"] == 2 * 60


async def test_events_and_leases_of_a_run(tmp_path: Path) -> None:
    asked = steady(traffic=WARM)
    found = await run(tmp_path, asked)
    (started,) = events(found, "started")
    assert set(started["pids"]) == {"backend 0", "backend 1", "balancer 0", "client 0", "sampler 0"}
    assert started["t_ns"] <= 0
    assert [(one["name"], one["t_ns"], one["warmup"]) for one in events(found, "phase")] == [
        ("warm", 0, True),
        ("main", 200 * MS, False),
    ]
    (read_back,) = events(found, "sysctls")
    for name, value in sysctls.settings_for(asked.kernel).items():
        if name in read_back["values"]:
            assert read_back["values"][name] == value
    assert read_back["values"]["net.ipv4.ip_local_port_range"] == "50000 50999"
    assert read_back["values"][sysctls.REUSE_DELAY] == "500"
    (ended,) = events(found, "ended")
    assert ended["open"] == 0
    assert ended["t_ns"] >= 600 * MS
    assert events(found, "role-lost") == events(found, "pause") == []

    assert len(found.leases) == 2 * 3
    assert {one["to_ns"] for one in found.leases[:3]} == {None}
    last_close = int(found.connections["closed_ns"].max())
    for one in leases(found):
        assert 20_000 <= one["port"] <= 20_999
        assert one["from_ns"] < 0
        assert one["to_ns"] > last_close
    assert {one["backend"] for one in leases(found)} == {0, 1, 2}
    assert overlaps(Lease(**one) for one in leases(found)) == []
    folder = tmp_path / "latest"
    assert not (folder / "crew.log").exists()
    assert not (folder / "failure.txt").exists()


async def test_without_a_balancer_the_clients_are_introduced(tmp_path: Path) -> None:
    asked = steady(balancer={"driver": "none"}, clients={"processes": 2})
    found = await run(tmp_path, asked)
    assert set(found.connections["outcome"]) == {Outcome.OK}
    assert set(found.connections["backend"]) == {0, 1, 2}
    assert len(found.dials["t_ns"]) == 0


async def test_held_connections_end_with_their_phase_and_the_next_phase_follows(
    tmp_path: Path,
) -> None:
    traffic = [
        {"name": "held", "for": "400ms", "hold": {"connections": 20, "rate": "200/s"}},
        {"name": "after", "for": "200ms", "arrivals": {"constant": "100/s"}},
    ]
    found = await run(tmp_path, steady(traffic=traffic))
    assert set(found.connections["outcome"]) == {Outcome.OK}
    held = found.plan["phase"] == 0
    closed = found.connections["closed_ns"]
    assert (closed[held] >= 400 * MS).all()
    assert (closed[held] < 500 * MS).all()
    assert (found.connections["sent_ns"][~held] >= 400 * MS).all()


async def test_a_plan_of_nothing_runs_to_its_end(tmp_path: Path) -> None:
    traffic = [{"name": "idle", "for": "300ms", "arrivals": {"constant": "0.1/s"}}]
    asked = steady(traffic=traffic)
    found = await run(tmp_path, asked)
    assert set(found.connections["outcome"]) <= {Outcome.OK}
    assert len(found.connections["outcome"]) <= 1


# Refusals and failures.


async def test_a_kernel_without_a_setting_is_refused_before_anything_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = sysctls._path
    missing = sysctls.REUSE_DELAY
    monkeypatch.setattr(
        sysctls, "_path", lambda name: Path("/nonexistent") if name == missing else path(name)
    )
    with write_job(tmp_path, steady()) as writer:
        before = sorted(item.name for item in writer.folder.iterdir())
        with pytest.raises(Refused, match="tcp_tw_reuse_delay"):
            await KernelEngine().run(writer.job, writer, Watcher())
        assert sorted(item.name for item in writer.folder.iterdir()) == before


async def test_a_role_that_raises_fails_the_run_and_leaves_its_traceback(tmp_path: Path) -> None:
    asked = steady()
    # The grammar forbids two permanent ports in a range of one: the role has to find out.
    impossible = {"ports": "permanent", "range": PortRange(5000, 5000), "count": 2, "processes": 1}
    asked = asked.model_copy(update={"backends": asked.backends.model_copy(update=impossible)})
    with write_job(tmp_path, asked) as writer:
        with pytest.raises(RunFailed, match=r"found no free port.*\n.*failure\.txt"):
            await KernelEngine().run(writer.job, writer, Watcher())
        text = (writer.folder / "failure.txt").read_text()
    assert text.startswith("backend 0:\nTraceback")
    assert "backend 1 found no free port on 127.4.0.1, 1 were held" in text


async def test_a_role_that_breaks_under_way_fails_the_run_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    patch_crew(monkeypatch, "client.LoadClient._take_up = lambda self, row: 1 / 0")
    begin = monotonic_ns()
    with write_job(tmp_path, steady("30s")) as writer:
        with pytest.raises(RunFailed, match="ZeroDivisionError"):
            await KernelEngine().run(writer.job, writer, Watcher())
        assert (writer.folder / "failure.txt").read_text().startswith("client 0:\n")
        found = load_run(writer.folder)
    assert monotonic_ns() - begin < 10 * S
    assert {one["to_ns"] for one in found.leases} == {None}  # who held what is known all the same


async def test_a_role_that_leaves_without_a_word_is_lost_whatever_its_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    patch_crew(monkeypatch, "client.LoadClient._take_up = lambda self, row: os._exit(0)")
    begin = monotonic_ns()
    found = await run(tmp_path, steady("30s"))
    assert monotonic_ns() - begin < 10 * S  # nobody is left to send anything
    (lost,) = events(found, "role-lost")
    assert (lost["role"], lost["index"], lost["code"]) == ("client", 0, 0)
    assert lost["t_ns"] >= 0
    assert set(found.connections["outcome"]) == {Outcome.PLANNED}


async def test_a_backend_that_is_killed_gives_its_leases_back_then(tmp_path: Path) -> None:
    class Killer(Watcher):
        def show(self, progress: Progress) -> None:
            super().show(progress)
            if progress.ok >= 10 and self._stop_in != "done":
                self._stop_in = "done"
                lines = (tmp_path / "latest" / "events.jsonl").read_text().splitlines()
                (begun,) = [e for e in map(json.loads, lines) if e["event"] == "started"]
                os.kill(begun["pids"]["backend 1"], signal.SIGKILL)

    found = await run(tmp_path, steady(), Killer())
    (lost,) = events(found, "role-lost")
    assert (lost["role"], lost["index"], lost["code"]) == ("backend", 1, -signal.SIGKILL)
    ends = {one["backend"]: one["to_ns"] for one in leases(found)}
    assert 0 <= ends[1] < 600 * MS <= min(ends[0], ends[2])
    assert ends[1] == pytest.approx(lost["t_ns"], abs=50 * MS)


class FullDisk:
    """A recorder whose disk is full after some lines of one stream."""

    def __init__(self, stream: str, lines: int) -> None:
        self._stream = stream
        self._left = lines

    def line(self, stream: str, record: Mapping[str, Any]) -> None:
        """Count; the record is not needed."""
        json.dumps(record)
        if stream == self._stream:
            self._left -= 1
        if self._left < 0:
            raise ResultsIncomplete("the disk is full")

    def rows(self, stream: str, worker: int, data: bytes) -> None:
        """Take everything."""


@pytest.mark.parametrize(
    ("stream", "lines"), [("samples", 1), ("roles", 5), ("leases", 1), ("leases", 4)]
)
async def test_a_full_disk_ends_the_run_whenever_it_comes(
    tmp_path: Path, stream: str, lines: int
) -> None:
    begin = monotonic_ns()
    seconds = "300ms" if (stream, lines) == ("leases", 4) else "30s"
    with (
        write_job(tmp_path, steady(seconds)) as writer,
        pytest.raises(ResultsIncomplete, match="the disk is full"),
    ):
        await KernelEngine().run(writer.job, FullDisk(stream, lines), Watcher())
    assert monotonic_ns() - begin < 10 * S


# Stopping.


async def test_a_watch_that_stops_at_once_leaves_everything_unsent(tmp_path: Path) -> None:
    begin = monotonic_ns()
    found = await run(tmp_path, steady("30s"), Watcher(stop_in="starting", level=1))
    assert monotonic_ns() - begin < 5 * S
    assert int((found.connections["outcome"] == Outcome.NOT_SENT_STOPPED).sum()) > 2_900
    assert set(found.connections["outcome"]) <= {Outcome.NOT_SENT_STOPPED, Outcome.OK}
    (stopping,) = events(found, "stopping")
    assert stopping["level"] == 1


async def test_a_stop_waits_for_open_connections_no_longer_than_the_grace(tmp_path: Path) -> None:
    traffic = [{"name": "held", "for": "30s", "hold": {"connections": 10, "rate": "1000/s"}}]
    begin = monotonic_ns()
    found = await run(
        tmp_path, steady(traffic=traffic, grace="300ms"), Watcher(stop_in="running", level=1)
    )
    assert monotonic_ns() - begin < 5 * S
    left = set(found.connections["outcome"])
    assert left <= {Outcome.OPEN, Outcome.NOT_SENT_STOPPED}
    (ended,) = events(found, "ended")
    assert ended["open"] == int((found.connections["outcome"] == Outcome.OPEN).sum())


async def test_who_never_becomes_ready_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "READY_WITHIN_S", 1.5)
    patch_crew(
        monkeypatch,
        "async def never(self): await asyncio.Event().wait()\nclient.LoadClient.prepare = never",
    )
    with write_job(tmp_path, steady()) as writer, pytest.raises(RunFailed) as failure:
        await KernelEngine().run(writer.job, writer, Watcher())
    assert str(failure.value) == "Not ready within 1.5 s: client 0."


async def test_a_crew_that_hangs_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "READY_WITHIN_S", 0.2)
    monkeypatch.setattr(roster, "QUIT_WITHIN_S", 0.2)
    monkeypatch.setattr(roster, "CREW_COMMAND", ("-c", "import time; time.sleep(60)"))
    with write_job(tmp_path, steady()) as writer, pytest.raises(RunFailed) as failure:
        await KernelEngine().run(writer.job, writer, Watcher())
    everybody = "backend 0, backend 1, balancer 0, client 0, sampler 0"
    assert str(failure.value) == f"Not ready within 0.2 s: {everybody}."


async def test_nobody_has_to_wait_for_a_crew_that_hangs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(roster, "QUIT_WITHIN_S", 0.2)
    monkeypatch.setattr(roster, "CREW_COMMAND", ("-c", "import time; time.sleep(60)"))
    begin = monotonic_ns()
    watch = Watcher(stop_in="starting", level=2)
    with write_job(tmp_path, steady()) as writer, pytest.raises(RunFailed, match="Stopped before"):
        await KernelEngine().run(writer.job, writer, watch)
    assert monotonic_ns() - begin < 5 * S


async def test_a_crew_that_cannot_start_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(roster, "CREW_COMMAND", ("-c", "raise SystemExit('no crew today')"))
    with write_job(tmp_path, steady()) as writer, pytest.raises(RunFailed) as failure:
        await KernelEngine().run(writer.job, writer, Watcher())
    assert str(failure.value).startswith("Ended before the run began: backend 0, ")
    assert str(failure.value).endswith("no crew today")


async def test_a_folder_that_looks_like_our_package_is_not_imported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trap = tmp_path / "here"
    (trap / "simulator").mkdir(parents=True)
    (trap / "simulator" / "__init__.py").write_text("raise SystemExit('the wrong one')")
    monkeypatch.chdir(trap)
    found = await run(tmp_path / "results", steady("200ms"))
    assert set(found.connections["outcome"]) == {Outcome.OK}
    assert (found.connections["sent_ns"] != NOT_YET).all()
    assert np.all(found.connections["answers"] == 1)
