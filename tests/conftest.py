"""What all tests share: both event loops, and a look around for what a run left behind."""

from __future__ import annotations

import asyncio
import os
import tempfile
import uuid
from dataclasses import dataclass
from pathlib import Path
from time import monotonic, sleep
from typing import TYPE_CHECKING

import psutil
import pytest
import uvloop
from hypothesis import settings

from simulator.kernel.leftovers import TEMP_PREFIX
from tests.support.browser import SHOTS_VARIABLE, Chromium, chromium

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

# A loaded machine is slow, not wrong: no deadline for one example. Tests that need more examples
# than this say so themselves. CI plays the same examples for everybody, so that a change is judged
# by what it changes; developers' machines go on looking for new ones (and print how to repeat).
settings.register_profile("house", deadline=None, max_examples=30, print_blob=True)
settings.register_profile("ci", settings.get_profile("house"), derandomize=True, database=None)
settings.load_profile("ci" if os.environ.get("CI") else "house")

#: Host settings that a scenario changes inside its namespace, and never outside.
HOST_SYSCTLS = ("ip_local_port_range", "tcp_tw_reuse", "tcp_tw_reuse_delay")
#: How long the kernel may take to finish the end of a killed namespace.
SETTLE_S = 5.0
TEST_VARIABLE = "PORTCHURN_TEST"
#: A browser stays for all tests of a file, and keeps processes in store for pages to come.
BROWSER = frozenset({"chromium", "node-MainThread", "node"})


def pytest_asyncio_loop_factories(
    config: pytest.Config, item: pytest.Item
) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Run each async test once on each loop."""
    return {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}


def pytest_report_header() -> list[str]:
    """Where pictures of pages are kept, when somebody wants them."""
    folder = os.environ.get(SHOTS_VARIABLE)
    return [f"screenshots: {Path(folder).resolve()}"] if folder else []


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chromium]:
    """A real browser, for all tests of a file; such a file has no asynchronous tests."""
    with chromium(tmp_path_factory.mktemp("screenshots")) as started:
        yield started


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What a run could leave behind, as seen from the test process."""

    processes: frozenset[str]
    namespaces: frozenset[str]
    links: frozenset[str]
    sysctls: tuple[str | None, ...]
    descriptors: frozenset[str]
    temp_files: frozenset[str]


def _read(path: Path) -> str | None:
    try:
        return path.read_text().strip()
    except OSError:
        return None


def _is_ours(process: psutil.Process, tag: str) -> bool:
    """A descendant, or a process that inherited the tag and was then given to init."""
    try:
        return tag.encode() in Path(f"/proc/{process.pid}/environ").read_bytes()
    except OSError:
        return False


def _processes(tag: str) -> frozenset[str]:
    me = psutil.Process()
    found = {child.pid: child for child in me.children(recursive=True)}
    for process in psutil.process_iter():
        if process.pid != me.pid and _is_ours(process, tag):
            found[process.pid] = process
    names = set()
    for process in found.values():
        try:
            if process.name() not in BROWSER:
                names.add(f"{process.pid} {process.name()} ({process.status()})")
        except psutil.NoSuchProcess:
            continue
    return frozenset(names)


def _descriptors() -> frozenset[str]:
    seen = set()
    for link in Path("/proc/self/fd").iterdir():
        try:
            seen.add(f"{link.name} -> {os.readlink(link)}")  # noqa: PTH115 - kept as text
        except OSError:  # the descriptor that lists this folder
            continue
    return frozenset(seen)


def look_around(tag: str) -> Surroundings:
    """Take note of everything a run of this test process could change."""
    named = Path("/run/netns")
    return Surroundings(
        processes=_processes(tag),
        namespaces=frozenset(p.name for p in named.iterdir()) if named.is_dir() else frozenset(),
        links=frozenset(p.name for p in Path("/sys/class/net").iterdir()),
        sysctls=tuple(_read(Path("/proc/sys/net/ipv4") / name) for name in HOST_SYSCTLS),
        descriptors=_descriptors(),
        temp_files=frozenset(
            path.name for path in Path(tempfile.gettempdir()).glob(f"{TEMP_PREFIX}{os.getpid()}-*")
        ),
    )


def differences(before: Surroundings, after: Surroundings) -> list[str]:
    """What is there after a test and was not before, one line each."""
    found = [
        f"{what} left behind: {item}"
        for what in ("processes", "namespaces", "links", "descriptors", "temp_files")
        for item in sorted(getattr(after, what) - getattr(before, what))
    ]
    found += [
        f"host setting {name} changed: {old} -> {new}"
        for name, old, new in zip(HOST_SYSCTLS, before.sysctls, after.sysctls, strict=True)
        if old != new
    ]
    return found


@pytest.fixture
def assert_clean(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Fail the test when it left a process, namespace, link, setting, descriptor or file."""
    tag = f"{TEST_VARIABLE}={uuid.uuid4().hex}"
    monkeypatch.setenv(*tag.split("=", 1))
    uvloop.new_event_loop().close()  # the first of a process opens a pipe that libuv never closes
    before = look_around(tag)
    yield
    deadline = monotonic() + SETTLE_S
    while found := differences(before, look_around(tag)):
        if monotonic() > deadline:
            pytest.fail("not clean after the test:\n" + "\n".join(found))
        sleep(0.02)  # the kernel is still ending what was killed


@pytest.fixture(autouse=True)
def _clean_after_namespace_tests(request: pytest.FixtureRequest) -> None:
    """Tests that make namespaces are always looked after."""
    if request.node.get_closest_marker("namespace"):
        request.getfixturevalue("assert_clean")
