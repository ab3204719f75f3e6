"""Rounds are processes of their own: what breaks in one is told, and what hangs is ended."""

from __future__ import annotations

from dataclasses import replace

import pytest

from simulator.bench.connect import BENCH
from simulator.bench.rounds import run_rounds
from simulator.errors import RunFailed


def test_a_round_that_breaks_is_an_error_with_its_last_words() -> None:
    with pytest.raises(RunFailed, match="KeyError"):
        run_rounds(BENCH, ["nobody"], 1, BENCH.defaults(), print)


def test_a_round_that_hangs_is_ended() -> None:
    hasty = replace(BENCH, patience_s=0.01)
    with pytest.raises(RunFailed, match="did not end"):
        run_rounds(hasty, ["kernel"], 1, BENCH.defaults(), print)


def test_no_rounds_measure_nothing() -> None:
    assert run_rounds(BENCH, ["kernel"], 0, BENCH.defaults(), print) == {"kernel": []}
