"""Compiling is a matter of speed alone, and writes into the user's own folder."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import pytest

from simulator.model import compiled


def test_without_numba_nothing_is_compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise ModuleNotFoundError(name)

    monkeypatch.setattr(compiled, "import_module", missing)
    assert compiled.compiler.__wrapped__() is None


def test_what_is_compiled_is_kept_in_the_users_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "/somewhere")
    assert compiled.cache_folder() == Path("/somewhere/portchurn/compiled")
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert compiled.cache_folder() == Path.home() / ".cache" / "portchurn" / "compiled"


@pytest.mark.skipif(find_spec("numba") is None, reason="numba is not installed")
def test_a_home_that_cannot_be_written_costs_time_only(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    make = compiled.compiler.__wrapped__()
    assert make is not None
    assert make(_twice)(21) == 42
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file"]


def _twice(number: int) -> int:
    return 2 * number
