"""What a compiled balancer needs: its compiler, memory for it, and ends that cannot meet."""

from __future__ import annotations

from typing import TYPE_CHECKING

from simulator.preflight import compiled
from simulator.preflight.compiled import compiled_bytes, compiled_refusals
from tests.support.scenarios import small

if TYPE_CHECKING:
    import pytest

COMPILED = "balancer.compiled=true"


def test_with_numba_nothing_is_in_its_way_but_memory() -> None:
    assert compiled_refusals(small(COMPILED)) == []
    assert compiled_bytes(small(COMPILED)) > 100_000_000


def test_without_numba_the_line_that_helps_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiled, "find_spec", lambda _name: None)
    (refusal,) = compiled_refusals(small(COMPILED))
    assert "pip install 'portchurn[jit]'" in refusal


def test_who_does_not_ask_for_it_needs_none_of_that(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiled, "find_spec", lambda _name: None)
    assert compiled_refusals(small()) == []
    assert compiled_bytes(small()) == 0


def test_connects_that_may_meet_themselves_stay_in_python() -> None:
    shared = "backends={address: shared, ports: fixed}"
    (refusal,) = compiled_refusals(small(shared, COMPILED))
    assert "backends.address" in refusal
    bound = "balancer.source.ports=late-bind"
    assert compiled_refusals(small(shared, bound, COMPILED)) == []
