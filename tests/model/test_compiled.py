"""Compiling is a matter of speed alone, and writes into the user's own folder."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING

import pytest

from simulator.model import compiled

if TYPE_CHECKING:
    from pathlib import Path


def test_without_numba_nothing_is_compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise ModuleNotFoundError(name)

    monkeypatch.setattr(compiled, "import_module", missing)
    assert compiled.compiler.__wrapped__() is None


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
