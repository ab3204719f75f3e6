"""Every bench of the catalogue loads, and says what it measures, in what unit, against whom."""

from __future__ import annotations

import pytest

from simulator.bench import catalogue
from simulator.bench.rows import ERRORS
from simulator.errors import UsageError


@pytest.mark.parametrize("name", catalogue.BENCHES)
def test_a_bench_says_what_it_is(name: str) -> None:
    bench = catalogue.load(name)
    assert bench.name == name
    assert bench.question.endswith("?")
    assert ERRORS in bench.units
    assert all(bench.units.values())
    versions = bench.versions()
    assert bench.against in {"", *versions}
    for option in bench.options:
        assert option.least <= option.default <= option.most


def test_an_unknown_bench_is_answered_with_those_there_are() -> None:
    with pytest.raises(UsageError, match="connect"):
        catalogue.load("conect")
    with pytest.raises(UsageError):
        catalogue.measure("conect", "own", {})
