"""What the models refuse is said in the words of the grammar, where it stands."""

from __future__ import annotations

import pytest

from simulator.scenario.arrivals import Rate
from simulator.scenario.check import model_at
from simulator.scenario.phases import Phase
from simulator.scenario.schema import Scenario
from simulator.scenario.source import Source
from tests.support.scenarios import SMALL, complaints

#: Flag, path of the complaint, words in it.
WRONG: list[tuple[str, str, str]] = [
    ("title=12", "title", "must be text; put it in quotes"),
    ("title=''", "title", "too short; it needs at least 1"),
    (f"title={'x' * 201}", "title", "too long; 200 is the most"),
    ("seed=true", "seed", "must be a whole number"),
    ("seed=1.5", "seed", "must be a whole number"),
    ("seed=-1", "seed", "is -1; it must be at least 0"),
    ("backends.count=20000", "backends.count", "must be at most 16,384"),
    ("backends.count=two", "backends.count", "must be a whole number"),
    ("backends=4", "backends", "must be a mapping"),
    ("backends.ports=kernl", "backends.ports", "did you mean kernel?"),
    ("backends.prots=kernel", "backends.prots", "did you mean ports?"),
    ("backends.zzz=1", "backends.zzz", "the keys are count, processes"),
    ("time_wait=5s", "time_wait", "it belongs below kernel"),
    ("kernel.time_wait=61s", "kernel.time_wait", "is 61s; it must be at most 60s"),
    ("kernel.time_wait=1us", "kernel.time_wait", "must be at least 1ms"),
    ("kernel.time_wait=1500us", "kernel.time_wait", "whole number of milliseconds"),
    ("kernel.time_wait=5", "kernel.time_wait", "5 needs a unit; write 500ms or 2s"),
    ("kernel.time_wait=5 parsecs", "kernel.time_wait", "is not a time"),
    ("kernel.port_range=5-3", "kernel.port_range", "wrong way round; write 3-5"),
    ("kernel.port_range=0-5", "kernel.port_range", "outside 1-65535"),
    ("kernel.port_range=5-70000", "kernel.port_range", "outside 1-65535"),
    ("kernel.port_range=5000", "kernel.port_range", "write first-last"),
    ("kernel.reserved_ports=[70000]", "kernel.reserved_ports.0", "outside 1-65535"),
    ("kernel.reserved_ports=[true]", "kernel.reserved_ports.0", "write 50000 or 50000-50009"),
    ("kernel.reserved_ports=5", "kernel.reserved_ports", "must be a list"),
    ("kernel.sysctls.fs.nr_open=1", "kernel.sysctls.fs.nr_open", "not on the list"),
    (
        "kernel.sysctls.net.ipv4.tcp_timestamp=1",
        "kernel.sysctls.net.ipv4.tcp_timestamp",
        "did you mean net.ipv4.tcp_timestamps?",
    ),
    (
        "kernel.sysctls.net.ipv4.tcp_timestamps=3",
        "kernel.sysctls.net.ipv4.tcp_timestamps",
        "must be within 0..2",
    ),
    (
        "kernel.sysctls.net.core.somaxconn=3",
        "kernel.sysctls.net.core.somaxconn",
        "write kernel.somaxconn",
    ),
    (
        "backends.service_time={lognormal: {median: 2ms}}",
        "backends.service_time.lognormal.sigma",
        "is missing",
    ),
    (
        "backends.service_time={pareto: {scale: 2ms, alpha: 1.5, cap: 2ms}}",
        "backends.service_time.pareto.cap",
        "is not more than the scale",
    ),
    (
        "backends.service_time={bimodal: {fast: 2ms, slow: 3ms, share: 1.5}}",
        "backends.service_time.bimodal.share",
        "is 1.5; it must be at most 1",
    ),
    (
        "backends.service_time={constant: 2ms, pareto: {scale: 2ms, alpha: 1.5}}",
        "backends.service_time.pareto",
        "stands beside constant",
    ),
    ("balancer.policy=rr", "balancer.policy", "must be one of round-robin"),
    ("balancer.policy={name: random, choices: 3}", "balancer.policy.choices", "not used by random"),
    ("balancer.close=both", "balancer.close", "must be one of client, balancer, backend, reset"),
    ("balancer.buffer=1KB", "balancer.buffer", "is 1KB; it must be at least 1KiB"),
    ("balancer.idle_timeout=0s", "balancer.idle_timeout", "must be more than 0s"),
    ("balancer.source.range=5000-6000", "balancer.source.range", "not used with ports: kernel"),
    (
        "balancer.source={ports: socket-range, range: 5000-6000}",
        "balancer.source.range",
        "reaches outside kernel.port_range 49152-65535",
    ),
    ("balancer={driver: none, close: balancer}", "balancer.close", "balancer.driver is none"),
    ("backends={count: 2, refusing: 3}", "backends.refusing", "more than the 2 backends"),
    ("backends={count: 9, ports: random, range: 9000-9003}", "backends.count", "more than the 4"),
    ("traffic=[]", "traffic", "too short; it needs at least 1"),
    ("traffic.0.for=0s", "traffic.0.for", "must be more than 0s"),
    ("traffic.0.for=2h", "traffic.0.for", "must be at most 3600s"),
    ("traffic.0.warmup=yes", "traffic.0.warmup", "must be true or false"),
    ("traffic.0.arrivals={}", "traffic.0.arrivals", "has none of constant, poisson"),
    ("traffic.0.arrivals=5", "traffic.0.arrivals", "must be a mapping"),
    ("traffic.0.arrivals.constant=5", "traffic.0.arrivals.constant", "5 needs a unit"),
    ("traffic.0.arrivals.constant=0/s", "traffic.0.arrivals.constant", "must be more than 0/s"),
    (
        "traffic.0.arrivals.constant=2000000/s",
        "traffic.0.arrivals.constant",
        "must be at most 1000000/s",
    ),
    ("traffic.0.arrivals.constant={from: 1/s}", "traffic.0.arrivals.constant.to", "is missing"),
    ("traffic.0.hold={connections: 10000}", "traffic.0.hold", "needs 2s to open them all"),
    ("traffic.0.hold={}", "traffic.0.hold.connections", "is missing; give `connections`: how many"),
    ("traffic.0.lifetime=20", "traffic.0.lifetime", "20 needs a unit"),
    ("traffic.0.for_ns=1s", "traffic.0.for_ns", "did you mean for?"),
    ("thresholds=[connect.p99 < 5]", "thresholds.0", "not a time"),
    ("thresholds=[connect.p98 < 5ms]", "thresholds.0", "did you mean connect.p99?"),
    ("variants={a: 3}", "variants.a", "must be a mapping"),
    ("expect=[a]", "expect", "must be text"),
]


@pytest.mark.parametrize(("flag", "path", "words"), WRONG, ids=[case[0][:40] for case in WRONG])
def test_each_fault_has_its_path_and_says_what_would_be_right(
    flag: str, path: str, words: str
) -> None:
    (only,) = complaints(SMALL, flag)
    assert only.path == path
    assert words in only.message
    assert "Input should" not in only.message
    assert only.place.source.name == "--set"


def test_two_phases_of_one_name_are_named_at_the_second() -> None:
    phase = "  - {name: a, for: 1s, arrivals: {constant: 1/s}}\n"
    (only,) = complaints(f"title: t\ntraffic:\n{phase}{phase}")
    assert (only.path, only.place.line, only.place.column) == ("traffic.1.name", 4, 6)


def test_hold_beside_a_lifetime_is_named_at_the_lifetime() -> None:
    (only,) = complaints(
        "title: t\ntraffic: [{name: a, for: 1s, lifetime: 5ms, hold: {connections: 3}}]\n"
    )
    assert (only.path, only.place.column) == ("traffic.0.lifetime", 30)


def test_more_than_a_day_in_all_is_refused() -> None:
    phases = "".join(
        f"  - {{name: p{n}, for: 1h, arrivals: {{constant: 1/min}}}}\n" for n in range(25)
    )
    (only,) = complaints(f"title: t\ntraffic:\n{phases}")
    assert only.path == "traffic"


def test_missing_keys_are_named_at_the_mapping_that_lacks_them() -> None:
    found = complaints("traffic:\n  - name: a\n    arrivals: {constant: {from: 1/s}}\n")
    assert [(one.place.line, one.place.column, one.path) for one in found] == [
        (1, 1, "title"),
        (2, 5, "traffic.0.for"),
        (3, 16, "traffic.0.arrivals.constant.to"),
    ]


def test_a_path_leads_to_its_model() -> None:
    assert model_at(()) is Scenario
    assert model_at(("traffic", 0)) is Phase
    assert model_at(("balancer", "source")) is Source
    assert model_at(("traffic", 0, "arrivals", "poisson")) is Rate
    assert model_at(("title",)) is None
    assert model_at(("nowhere", "at all")) is None
