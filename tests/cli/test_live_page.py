"""A run's live page end to end: what viewers hear, how the button works, and that nothing stays."""

from __future__ import annotations

import asyncio
import json
import socket
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

import aiohttp
import psutil
import pytest

from simulator.cli.live_page import page_beside
from tests.support.command import Running, portchurn, wait_gone, write_scenario
from tests.support.looking import link_of, parse
from tests.support.stored import aborted, complete

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

LONG = """\
title: A run to look at
kernel: {port_range: 50000-50999, time_wait: 500ms}
backends: {count: 2}
traffic:
  - {name: first, for: 200ms, arrivals: {constant: 200/s}}
  - {name: second, for: LENGTH, arrivals: {constant: 200/s}}
grace: 1s
"""
VIEWERS = 50


@contextmanager
def run(folder: Path, *arguments: str, length: str = "60s") -> Iterator[Running]:
    """A run under way, ended whatever happens."""
    scenario = write_scenario(folder / "long.yaml", LONG.replace("LENGTH", length))
    running = Running(scenario, folder / "results", *arguments)
    try:
        yield running
    finally:
        running.abandon()


@pytest.mark.namespace
def test_viewers_see_a_run_and_may_stop_it_and_what_was_measured_is_kept(tmp_path: Path) -> None:
    with run(tmp_path, "--live", "--quiet") as running:
        link = link_of(running)
        news = link.news()
        for told in news:
            if told["is"] == "picture":
                assert "STILL RUNNING" in told["verdict"]
                break
        now = next(told for told in news if told["is"] == "now" and told["phase"] == "second")
        assert (now["state"], now["failed"]) == ("running", 0)
        assert {hop["name"] for hop in now["hops"]} == {"client-balancer", "balancer-backend"}
        assert now["hops"][1]["time_wait"] > 0
        assert link.stop() == "Stopping: no new connections, saving."
        last = list(news)
        done = running.finish()
        assert done.code == 130
        assert "stopped before its end" in json.dumps(
            running.folder.joinpath("summary.json").read_text()
        )
    assert last[-1]["is"] == "end"
    picture = [told for told in last if told["is"] == "picture"][-1]
    assert "STILL RUNNING" not in picture["verdict"]
    assert {"rates", "latency"} <= {chart["name"] for chart in picture["charts"]}
    with pytest.raises(ConnectionRefusedError):
        link.stop()


@pytest.mark.namespace
def test_a_run_under_way_is_shown_from_its_folder_alone(tmp_path: Path) -> None:
    with run(tmp_path) as running:
        running.wait_until_running()
        command = [sys.executable, "-m", "simulator", "show", "--live"]
        command += ["--results", str(running.results)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as shown:
            assert shown.stdout is not None
            link = parse(shown.stdout.readline())
            news = link.news()
            assert next(news)["title"] == "A run to look at"
            assert link.stop().startswith("Stopping")
            *_, last = news
            assert last["is"] == "end"
            assert shown.wait(60) == 0
        assert running.finish().code == 130


@pytest.mark.namespace
def test_the_page_does_not_outlive_a_run_that_is_killed(tmp_path: Path) -> None:
    with run(tmp_path, "--live") as running:
        link = link_of(running)
        next(link.news())
        children = psutil.Process(running.process.pid).children(recursive=True)
        (page,) = [one.pid for one in children if "simulator.cli.live_page" in one.cmdline()]
        running.process.kill()
        assert wait_gone({"page": page}, within_s=30.0) == []


def test_a_page_that_nobody_looks_at_ends_at_once(tmp_path: Path) -> None:
    with page_beside() as (link, tell):
        assert link.startswith("http://127.0.0.1:")
    tell(tmp_path)  # nobody is left to be told, and nobody minds


@pytest.mark.parametrize("make", [complete, aborted])
def test_what_has_ended_is_not_under_way(tmp_path: Path, make: Callable[[Path], Path]) -> None:
    make(tmp_path)
    done = portchurn("show", "--live", "--results", tmp_path)
    assert (done.code, done.out) == (2, "")
    assert "is not under way" in done.err


def test_the_model_is_over_before_anybody_could_look(tmp_path: Path) -> None:
    scenario = write_scenario(tmp_path / "x.yaml", LONG.replace("LENGTH", "1s"))
    done = portchurn("run", scenario, "--live", "--engine", "model")
    assert (done.code, done.out) == (2, "")
    assert "--live" in done.err


async def _watch(link_port: int, headers: dict[str, str]) -> list[bytes]:
    """Fifty who hear everything, beside one who reads nothing; what each of them heard last."""
    deaf = socket.create_connection(("127.0.0.1", link_port))
    shown = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    deaf.sendall(f"GET /events HTTP/1.1\r\nHost: 127.0.0.1:{link_port}\r\n{shown}\r\n".encode())
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector, headers=headers) as session:

        async def hear() -> bytes:
            async with session.get(f"http://127.0.0.1:{link_port}/events") as answer:
                return (await answer.read()).rsplit(b"data: ", 1)[-1]

        async with asyncio.timeout(60), asyncio.TaskGroup() as group:
            viewers = [group.create_task(hear()) for _ in range(VIEWERS)]
    deaf.close()
    return [one.result() for one in viewers]


@pytest.mark.namespace
@pytest.mark.alone
def test_fifty_viewers_and_one_who_reads_nothing_leave_the_measurement_as_it_is(
    tmp_path: Path,
) -> None:
    with run(tmp_path, "--live", "--quiet", length="1s") as running:
        link = link_of(running)
        heard = asyncio.run(_watch(link.port, link.headers))
        assert running.finish().code == 0
        summary = json.loads((running.folder / "summary.json").read_text())
    assert [json.loads(one) for one in heard] == [[{"is": "end"}]] * VIEWERS
    assert summary["valid"]
    assert summary["attempts"]["ok"] == summary["attempts"]["planned"] == 240
    assert summary["verdict"]["code"] == "ok"
