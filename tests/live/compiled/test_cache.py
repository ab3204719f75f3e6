"""Compiled code is kept in a folder of the user's, and a second start finds it there."""

from __future__ import annotations

import ast
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from simulator.errors import RunFailed
from simulator.kernel.compile_cache import PACKAGE
from simulator.live.compiled import cache

if TYPE_CHECKING:
    from pathlib import Path

LOADED = """
from simulator.live.compiled import machine
stats = machine.turn.stats
print(sum(stats.cache_hits.values()), sum(stats.cache_misses.values()))
"""


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user with nothing compiled yet."""
    monkeypatch.delenv("NUMBA_CACHE_DIR", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path


def test_what_is_compiled_first_is_loaded_later_and_said_once(home: Path) -> None:
    said: list[str] = []
    cache.compile_first(said.append)
    cache.compile_first(said.append)
    (line,) = said
    assert str(home / "portchurn") in line
    command = [sys.executable, "-c", LOADED]
    loaded = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    assert loaded.stdout.split() == ["1", "0"]


def test_without_a_folder_it_is_said_that_every_start_compiles(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_the_way = home / "file"
    in_the_way.touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(in_the_way))
    assert cache.cache_folder() is None
    assert not cache.keep_compiled_code()
    said: list[str] = []
    cache.compile_first(said.append)
    assert "at each start" in said[0]


@pytest.mark.usefixtures("home")
def test_a_compiler_that_fails_is_an_error_with_its_words(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with pytest.raises(RunFailed, match="did not compile"):
        cache.compile_first(lambda _line: None)


def test_every_file_that_compiled_code_takes_something_from_names_the_folder() -> None:
    taken = set(cache._SOURCES)
    for name in cache._SOURCES:
        if "/compiled/" not in name:
            continue
        tree = ast.parse((PACKAGE / name).read_text())
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("simulator."):
                file = (node.module or "").removeprefix("simulator.").replace(".", "/") + ".py"
                assert file in taken or file == "live/compiled/cache.py", f"{name} needs {file}"
