"""The command line as a user has it: a process, its streams, its exit code, and what it leaves."""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from time import monotonic, sleep
from typing import Any

ROOT = Path(__file__).parent.parent.parent
SCENARIOS = ROOT / "scenarios"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """A command that has ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:  # noqa: ANN401 - JSON is what it is; each test knows its shape
        """Standard output as JSON."""
        return json.loads(self.out)

    @property
    def summaries(self) -> list[dict[str, Any]]:
        """Standard output of ``run --output json``: the summary of each variant."""
        found = json.loads(self.out)
        return found if isinstance(found, list) else [found]


def portchurn(*arguments: str | Path, timeout_s: float = 120.0) -> Finished:
    """Run a command to its end."""
    done = subprocess.run(
        [sys.executable, "-m", "simulator", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=timeout_s,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    return Finished(code=done.returncode, out=done.stdout, err=done.stderr)


def run_json(*arguments: str | Path, timeout_s: float = 120.0) -> tuple[int, list[dict[str, Any]]]:
    """`portchurn run ... --output json`: the exit code and the summary of each variant."""
    done = portchurn("run", *arguments, "--output", "json", "--quiet", timeout_s=timeout_s)
    assert done.out, f"exit {done.code}: {done.err}"
    return done.code, done.summaries


class Running:
    """A `portchurn run` under way."""

    def __init__(self, scenario: Path, results: Path, *arguments: str) -> None:
        self.results = results
        self.process = subprocess.Popen(
            [
                *(sys.executable, "-m", "simulator", "run", str(scenario)),
                *("--results", str(results), *arguments),
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def wait_until_running(self) -> Running:
        """Return when its progress says that traffic flows."""
        assert self.process.stderr is not None
        for line in self.process.stderr:
            if " running " in line:
                return self
        raise AssertionError(f"ended with {self.process.wait()} before it ran")

    def wait_for_samples(self, count: int, within_s: float = 10.0) -> None:
        """Return when so many samples are on disk."""
        path = self.folder / "samples.jsonl"
        deadline = monotonic() + within_s
        while not path.exists() or path.read_bytes().count(b"\n") < count:
            assert monotonic() < deadline, f"fewer than {count} samples in {within_s} s"
            assert self.process.poll() is None, "ended before it was sampled"
            sleep(0.01)  # only between two looks; nothing depends on its length

    @property
    def folder(self) -> Path:
        """The run's folder."""
        return (self.results / "latest").resolve()

    def events(self, name: str) -> list[dict[str, Any]]:
        """Its events of one name so far."""
        lines = (self.folder / "events.jsonl").read_text().splitlines()
        return [event for event in map(json.loads, lines) if event["event"] == name]

    def pids(self) -> dict[str, int]:
        """Every process of the crew, by role, as the host sees it."""
        (started,) = self.events("started")
        return {"init": started["init"], **started["pids"]}

    def abandon(self) -> None:
        """End it whatever it does, and close its streams; for the end of a test."""
        self.process.kill()
        self.process.wait()
        for stream in (self.process.stdout, self.process.stderr):
            assert stream is not None
            stream.close()

    def finish(self, timeout_s: float = 60.0) -> Finished:
        """Wait for its end."""
        out, err = self.process.communicate(timeout=timeout_s)
        return Finished(code=self.process.returncode, out=out, err=err)


def wait_gone(pids: dict[str, int], within_s: float = 10.0) -> list[str]:
    """Wait until these processes have ended; returns the names of those that have not."""
    deadline = monotonic() + within_s
    left = []
    for name, pid in pids.items():
        try:
            watched = os.pidfd_open(pid)
        except ProcessLookupError:
            continue
        try:
            ready, _, _ = select.select([watched], [], [], max(0.0, deadline - monotonic()))
        finally:
            os.close(watched)
        if not ready:
            left.append(name)
    return left


def write_scenario(path: Path, text: str) -> Path:
    """A scenario file for one test."""
    path.write_text(text)
    return path
