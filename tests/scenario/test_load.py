"""A scenario file from bytes to a checked value: precedence, variants, names, places."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from simulator.errors import ScenarioError
from simulator.scenario.load import load_file, resolved
from simulator.scenario.schema import Scenario
from tests.support.command import SCENARIOS
from tests.support.scenarios import SMALL, complaints, loaded, small

if TYPE_CHECKING:
    from pathlib import Path

FILES = sorted(SCENARIOS.glob("*.yaml"))
WITH_VARIANTS = (
    SMALL
    + """
seed: 5
variants:
  slow client: {backends.service_time: 9ms, traffic.only.for: 2s}
  seeded: {seed: 6, backends.count: 3}
"""
)


@pytest.mark.parametrize("file", FILES, ids=lambda path: path.stem)
def test_every_shipped_scenario_loads_and_reads_back_the_same(file: Path) -> None:
    got = load_file(file)
    assert got.slug == file.stem
    for scenario in [got.scenario, *(variant.scenario for variant in got.variants)]:
        assert Scenario.model_validate(resolved(scenario)) == scenario


def test_a_file_is_read_with_its_text_and_name(tmp_path: Path) -> None:
    file = tmp_path / "My Case.yaml"
    file.write_text(SMALL, encoding="utf-8-sig")
    got = load_file(file, seed=3)
    assert (got.name, got.slug, got.text) == (str(file), "my-case", SMALL)
    assert got.scenario.seed == 3


@pytest.mark.parametrize("name", ["missing.yaml", "folder", "nul\0name"])
def test_a_file_that_cannot_be_read_is_an_error_of_its_author(tmp_path: Path, name: str) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(ScenarioError, match="cannot be read") as error:
        load_file(tmp_path / name)
    assert "\0" not in str(error.value)


@pytest.mark.parametrize("text", ["", "# nothing\n", "- a\n", "word\n", "~\n"])
def test_what_is_not_a_mapping_says_how_one_begins(text: str) -> None:
    (only,) = complaints(text)
    assert "title:" in only.message


def test_variants_change_the_base_and_flags_win_over_both() -> None:
    got = loaded(WITH_VARIANTS, "backends.count=2", seed=9)
    slow, seeded = got.variants
    assert (got.scenario.seed, slow.scenario.seed, seeded.scenario.seed) == (9, 9, 9)
    assert (got.scenario.backends.count, seeded.scenario.backends.count) == (2, 2)
    assert slow.scenario.backends.service_time.constant == 9_000_000
    assert slow.scenario.traffic[0].for_ns == 2_000_000_000
    assert got.scenario.traffic[0].for_ns == 1_000_000_000
    assert (slow.name, slow.slug, seeded.slug) == ("slow client", "slow-client", "seeded")
    assert slow.changes == {"backends.service_time": "9ms", "traffic.only.for": "2s"}
    assert slow.scenario.variants == {}
    assert loaded(WITH_VARIANTS).variants[1].scenario.seed == 6


def test_a_flag_can_change_a_variant_itself() -> None:
    got = loaded(WITH_VARIANTS, "variants.seeded={seed: 8}")
    assert got.variants[1].scenario.seed == 8


def test_faults_of_variants_are_named_at_their_own_lines_and_those_of_the_base_once() -> None:
    text = """\
title: t
seed: -1
traffic: [{name: a, for: 1s, arrivals: {constant: 1/s}}]
variants:
  one: {backends.count: 0}
  One: {traffic.b.for: 3s}
  two: {backend.count: 1, seed: 4}
"""
    found = [(one.place.line, one.path) for one in complaints(text)]
    assert found == [
        (2, "seed"),
        (5, "backends.count"),
        (6, "variants.One"),
        (6, "traffic.b.for"),
        (7, "backend"),
    ]


def test_faults_of_every_kind_are_told_at_once() -> None:
    text = """\
tilte: t
seed: 010
kernel: {port_range: 9-5, time_wait: }
backends: {count: 0, range: 20000}
traffic:
  - {name: a, for: 1s, arrivals: {constant: 1/s, poisson: 1/s}}
  - {name: b, for: 5, arrivals: {constant: .nan}}
thresholds: [faild == 0]
"""
    assert [(one.place.line, one.place.column, one.path) for one in complaints(text)] == [
        (1, 1, "title"),
        (1, 1, "tilte"),
        (2, 7, "seed"),
        (3, 22, "kernel.port_range"),
        (3, 27, "kernel.time_wait"),
        (4, 19, "backends.count"),
        (4, 29, "backends.range"),
        (6, 50, "traffic.0.arrivals.poisson"),
        (7, 20, "traffic.1.for"),
        (7, 44, "traffic.1.arrivals.constant"),
        (8, 14, "thresholds.0"),
    ]


def test_reading_a_scenario_needs_neither_numpy_nor_aiohttp() -> None:
    code = (
        "import sys; from simulator.scenario.load import load_file; load_file(sys.argv[1]);"
        "sys.exit(bool({'numpy', 'aiohttp', 'asyncio'} & set(sys.modules)))"
    )
    subprocess.run([sys.executable, "-c", code, FILES[0]], check=True, timeout=60)


def test_what_a_flag_makes_impossible_for_another_variant_does_not_matter() -> None:
    path = SCENARIOS / "who-closes-first.yaml"
    flag = ["balancer.driver=haproxy"]
    with pytest.raises(ScenarioError, match="haproxy cannot"):
        load_file(path, overrides=flag)
    loaded = load_file(path, overrides=flag, only="backend")
    assert [one.name for one in loaded.variants] == ["backend"]
    # A name that is none leaves all to be checked: the caller says that there is no such variant.
    assert len(load_file(path, only="nobody").variants) == 4


def test_small_is_the_smallest() -> None:
    assert small("seed=4").seed == 4
