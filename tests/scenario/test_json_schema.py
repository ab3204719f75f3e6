"""The JSON Schema and the models agree wherever JSON Schema has words for it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.errors import ScenarioError
from simulator.scenario.document import Plain, Tree, plain, read_document
from simulator.scenario.json_schema import scenario_json_schema
from simulator.scenario.load import load_text
from simulator.scenario.override import apply, read_flag
from tests.scenario.test_check import WRONG
from tests.support.command import SCENARIOS
from tests.support.scenarios import SMALL

if TYPE_CHECKING:
    from pathlib import Path

SCHEMA = scenario_json_schema()
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)
FILES = sorted(SCENARIOS.glob("*.yaml"))

#: Right in form and wrong in size or beside another key: only the models can see it.
BEYOND_WORDS = (
    "must be at most",
    "must be at least",
    "must be more than",
    "whole number of milliseconds",
    "wrong way round",
    "outside 1-65535",
    "write 3-5",
    "not used with ports",
    "reaches outside",
    "balancer.driver is none",
    "more than the",
    "not more than",
    "needs 2s",
    "not a time",
    "did you mean connect.p99",
)
GOOD = [
    "seed=0",
    "title=é",
    "expect=''",
    "kernel.reserved_ports=[50000, '50001', 50002-50003]",
    "kernel.sysctls.net.ipv4.tcp_timestamps=0",
    "backends.service_time=2ms",
    "backends.service_time={constant: 2 ms}",
    "backends.service_time={exponential: 2.5ms}",
    "backends.service_time={lognormal: {median: 2ms, sigma: 1}}",
    "backends.service_time={pareto: {scale: 1ms, alpha: 1.5}}",
    "backends.service_time={pareto: {scale: 1ms, alpha: 1.5, cap: 1s}}",
    "backends.service_time={bimodal: {fast: 1ms, slow: 50ms, share: 0.01}}",
    "backends={concurrency: 4, faults: {error_rate: 0.5, slow: 1}, stream: {chunk: 16B}}",
    "backends={count: 4, churn: {rate: 1/s, at: [{time: 0s, backends: all}]}, quarantine: 5s}",
    "backends={ports: nomad}",
    "balancer.policy=two-choices",
    "balancer.policy={name: random}",
    "balancer.policy={name: random, choices: 2}",
    "balancer.policy={choices: 5}",
    "balancer.policy={name: choices, choices: 5}",
    "balancer.descriptors=64",
    "traffic.0.warmup=true",
    "traffic.0.hold={connections: 3, rate: 3_000/min}",
    "traffic.0.arrivals.poisson={from: 1/s, to: 2_000/s}",
    "traffic.0.arrivals.poisson={sine: {mean: 10/s, amplitude: 10/s, period: 1s}}",
    "traffic.0.arrivals.constant={bursts: {rate: 10/s, on: 1ms, off: 2ms}}",
    "traffic.0.arrivals.constant={steps: [{rate: 1/s, for: 400ms}, {rate: 9/s, for: 600ms}]}",
    "traffic.0.arrivals={trace: traces/monday.csv}",
    "traffic.0.requests=0",
    "traffic.0.requests={geometric: 2.5}",
    "traffic.0.requests={uniform: {from: 1, to: 9}}",
    "clients.retry={attempts: 4, backoff: 10ms, factor: 1.5, jitter: full}",
    "clients.retry={}",
    "traffic.0.users={count: 5, think: 10ms, draw: exponential}",
    "traffic.0.think={exponential: 5ms}",
    "thresholds=['connect.p99 < 5ms', 'verdict==ok']",
    "variants={a: {seed: 3, traffic.only.for: 2s}}",
    "$schema=portchurn.schema.json",
]


def data(*flags: str) -> dict[str, Plain]:
    """The plain data that a scenario with these flags is."""
    root = read_document(SMALL, "t", [])
    assert isinstance(root, Tree)
    for flag in flags:
        change = read_flag(flag, [])
        assert change is not None
        root = apply(root, change)
    found = plain(root)
    assert isinstance(found, dict)
    return found


def test_it_is_a_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    assert scenario_json_schema() == SCHEMA


@pytest.mark.parametrize("file", FILES, ids=lambda path: path.stem)
def test_every_shipped_scenario_is_accepted(file: Path) -> None:
    root = read_document(file.read_text(), str(file), [])
    assert root is not None
    VALIDATOR.validate(plain(root))


@pytest.mark.parametrize("flag", GOOD)
def test_what_the_models_accept_the_schema_accepts(flag: str) -> None:
    load_text(SMALL, "t", overrides=[flag])
    VALIDATOR.validate(data(flag))


@pytest.mark.parametrize(("flag", "words"), [(case[0], case[2]) for case in WRONG])
def test_what_the_models_refuse_the_schema_refuses_if_it_can(flag: str, words: str) -> None:
    with pytest.raises(ScenarioError):
        load_text(SMALL, "t", overrides=[flag])
    refused = not VALIDATOR.is_valid(data(flag))
    beyond = any(part in words for part in BEYOND_WORDS)
    assert refused or beyond


@pytest.mark.parametrize("key", ["descriptors", "policy", "source"])
def test_neither_takes_a_key_without_a_value(key: str) -> None:
    flagged = data("balancer.workers=1")
    flagged["balancer"] = {key: None}
    assert not VALIDATOR.is_valid(flagged)
    with pytest.raises(ScenarioError, match="has no value"):
        load_text(f"{SMALL}balancer: {{{key}: }}\n", "t")


_VALUES = (
    st.sampled_from(
        ["1s", "5ms", "9/s", "4KiB", "50000-50009", "kernel", "random", "own", "none", "", "x"]
    )
    | st.integers(-2, 5)
    | st.booleans()
)
_KEYS = st.sampled_from(
    ["name", "for", "ports", "count", "range", "constant", "poisson", "from", "to", "choices"]
)
_NODES = st.recursive(
    _VALUES,
    lambda inner: st.dictionaries(_KEYS, inner, max_size=3) | st.lists(inner, max_size=2),
    max_leaves=5,
)


@settings(max_examples=300)
@given(
    st.sampled_from(["kernel", "backends", "balancer", "clients", "sampling", "seed", "grace"]),
    _NODES,
)
def test_the_models_never_accept_what_the_schema_refuses(key: str, node: object) -> None:
    text = f"{SMALL}{key}: {json.dumps(node)}\n"
    value = {**data(), key: node}
    try:
        load_text(text, "t")
    except ScenarioError:
        return
    VALIDATOR.validate(value)
