"""Before a run with a compiled balancer: one line for who waits, or a refusal by name."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from simulator.cli.compiling import compile_first
from simulator.errors import Refused
from simulator.live.compiled import cache
from simulator.preflight import compiled
from tests.support.scenarios import small

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.fixture
def compiles(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The compiler says one line, and what it said is here."""
    calls = []

    def say_one(say: Callable[[str], None]) -> None:
        calls.append("compiled")
        say("some seconds, once")

    monkeypatch.setattr(cache, "compile_first", say_one)
    return calls


@pytest.mark.parametrize("quiet", [False, True])
def test_who_waits_is_told_on_stderr_unless_they_want_quiet(
    compiles: list[str], capsys: pytest.CaptureFixture[str], quiet: bool
) -> None:
    compile_first([small(), small("balancer.compiled=true")], quiet=quiet)
    assert compiles == ["compiled"]
    out, err = capsys.readouterr()
    assert out == ""
    assert err == ("" if quiet else "some seconds, once\n")


def test_nobody_else_compiles(compiles: list[str]) -> None:
    compile_first([small()])
    assert compiles == []


def test_without_numba_it_is_refused_once(
    compiles: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compiled, "find_spec", lambda _name: None)
    asked = small("balancer.compiled=true")
    with pytest.raises(Refused, match="pip install") as caught:
        compile_first([asked, asked])
    assert str(caught.value).count("pip install") == 1
    assert compiles == []
