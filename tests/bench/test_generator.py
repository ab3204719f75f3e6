"""The generator bench: each generator's work is counted, none of it failed."""

from __future__ import annotations

import shutil

import pytest

from simulator.bench.generator import AB, BENCH, OWN, WRK, versions
from tests.support.benches import one_round


def test_a_generator_that_is_there_says_its_version() -> None:
    found = versions()
    assert found[OWN]
    for name in (WRK, AB):
        version = found[name]
        assert (version is None) == (shutil.which(name) is None)
        assert version is None or version[0].isdigit()


@pytest.mark.namespace
@pytest.mark.slow
def test_each_generators_connections_are_counted_and_none_failed() -> None:
    found = one_round(BENCH, connections=1_000, at_once=16)
    assert found[OWN]["connections"] == 1_000
    assert found.get(AB, {"connections": 1_000})["connections"] == 1_000
    for values in found.values():
        assert set(values) == set(BENCH.units)
        assert values["errors"] == 0
        assert values["rate"] > 0
        assert values["cpu"] == pytest.approx(values["cpu-user"] + values["cpu-system"])
