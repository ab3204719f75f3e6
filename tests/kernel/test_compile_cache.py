"""Compiled code is kept where only the user writes, and never used after its sources changed."""

from __future__ import annotations

import os
from importlib.util import find_spec
from typing import TYPE_CHECKING

import pytest

from simulator.kernel import compile_cache as room
from simulator.kernel.compile_cache import compile_cache

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.skipif(find_spec("numba") is None, reason="numba is not installed")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user with nothing compiled yet."""
    monkeypatch.delenv("NUMBA_CACHE_DIR", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path


def test_the_folder_is_the_users_alone(home: Path) -> None:
    folder = compile_cache("loops", ("units.py",))
    assert folder is not None
    assert folder.parent == home / "portchurn"
    assert folder.stat().st_mode & 0o077 == 0
    assert folder.stat().st_uid == os.getuid()


def test_the_folder_of_all_of_numba_is_taken_where_it_is_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "mine"))
    folder = compile_cache("loops", ("units.py",))
    assert folder is not None
    assert folder.is_relative_to(tmp_path / "mine")


@pytest.mark.usefixtures("home")
def test_a_source_that_changed_has_another_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "PACKAGE", tmp_path)
    source = tmp_path / "loop.py"
    source.write_text("x = 1")
    before = compile_cache("loops", ("loop.py",))
    assert compile_cache("loops", ("loop.py",)) == before
    source.write_text("x = 2")
    assert compile_cache("loops", ("loop.py",)) != before


def test_where_no_folder_can_be_there_is_none(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (home / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(home / "file"))
    assert compile_cache("loops", ("units.py",)) is None
