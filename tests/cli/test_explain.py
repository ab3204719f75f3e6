"""`portchurn explain` as a user calls it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from simulator.cli.explain import command
from simulator.errors import EXIT_REFUSED
from simulator.kernel.peers import look_for
from simulator.scenario.load import load_text
from simulator.traffic.plan import make_plan
from tests.support.command import SCENARIOS, portchurn, write_scenario
from tests.support.scenarios import SMALL

if TYPE_CHECKING:
    from pathlib import Path

FILES = sorted(SCENARIOS.glob("*.yaml"))
#: What asks for more than any kernel of one machine does.
MODEL_ONLY = {"nat-fleet-day"}
VARIED = SMALL + "variants:\n  one: {seed: 5}\n  two: {backends.count: 2}\n"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return write_scenario(tmp_path / "small.yaml", SMALL)


def test_it_says_what_is_created_needed_and_hit(file: Path) -> None:
    done = portchurn("explain", file, "--set", "kernel={port_range: 50000-50999, time_wait: 500ms}")
    assert done.code == 0
    for word in ("FITS", "PLAN", "CREATES", "NEEDS", "TUPLES", "CEILING", "NOTES"):
        assert f"\n{word}" in done.out
    assert "999 ports / (500ms TIME_WAIT + 0ns open) = 1,998/s" in done.out
    assert "1 client process, source ports by userspace from 16 addresses" in done.out


def test_a_resolver_is_told_with_its_pool_and_the_odds_of_its_forger() -> None:
    done = portchurn("explain", SCENARIOS / "dns-forgery.yaml", "--variant", "16 ports")
    assert done.code == 0
    assert "1 DNS servers on 1 address" in done.out
    assert "a resolver with 16 UDP sockets, chosen random, 10 bits of ID" in done.out
    assert "among 1 server x 16 ports x 1,024 IDs = 16,384: 2.44 % of questions" in done.out


@pytest.mark.haproxy
def test_a_foreign_balancer_is_named_with_its_version_or_with_what_is_missing(file: Path) -> None:
    peer = look_for("haproxy")
    done = portchurn("explain", file, "--set", "balancer.driver=haproxy")
    assert done.code == (3 if peer.missing else 0)
    assert (peer.missing or f"haproxy {peer.version} with 1 thread, policy round-robin") in done.out


@pytest.mark.parametrize("scenario", FILES, ids=lambda path: path.stem)
def test_every_shipped_scenario_is_explained(scenario: Path) -> None:
    done = CliRunner().invoke(command, [str(scenario), "--output", "json"])
    for answer in json.loads(done.output):
        if scenario.stem in MODEL_ONLY:
            [why] = answer["refusals"]
            assert why.endswith("The model can do it: portchurn run FILE --engine model")
            continue
        assert answer["refusals"] == []
        assert answer["ceilings"]


def test_what_does_not_fit_is_refused_with_the_sum_and_exit_3(file: Path) -> None:
    crowded = ["--set", "backends.count=30", "--set", "kernel.port_range=50000-50009"]
    done = portchurn("explain", file, *crowded)
    assert done.code == 3
    sum_ = "backends: 30 listeners, but 10 ports of 50000-50009 x 1 addresses = 10"
    assert f"\nREFUSED\n  {sum_}\n" in done.out
    beyond = portchurn(
        "explain",
        file,
        "--set",
        "traffic.0.arrivals.constant=1000000/s",
        "--set",
        "traffic.0.for=1h",
    )
    assert beyond.code == 3
    assert "1,000,000/s x 3,600s = 3,600,000,000" in beyond.out
    told = portchurn("explain", file, "--output", "json", *crowded)
    assert told.code == 3
    assert told.json[0]["refusals"] == [sum_]


def test_the_plan_is_printed_the_same_each_time_and_changes_with_the_seed(file: Path) -> None:
    first, again = (portchurn("explain", "--plan", file).out for _ in range(2))
    assert first == again
    plan = make_plan(load_text(SMALL, "t").scenario)
    head, counts, columns, *rows = first.splitlines()
    assert head == f"# plan sha256={plan.digest} seed=1"
    assert counts == "# 10 connections, 10 requests, 1000000000 ns"
    assert columns.startswith("# due_ns lifetime_ns")
    assert [int(row.split()[0]) for row in rows] == plan.columns["due_ns"].tolist()
    poisson = ["--set", "traffic.0.arrivals={poisson: 10/s}"]
    one, two = (portchurn("explain", "--plan", file, *poisson, "--seed", s).out for s in "12")
    assert one != two


def test_each_variant_is_explained_or_the_one_asked_for(tmp_path: Path) -> None:
    varied = write_scenario(tmp_path / "varied.yaml", VARIED)
    both = portchurn("explain", varied, "--output", "json").json
    assert [answer["variant"] for answer in both] == ["one", "two"]
    (two,) = portchurn("explain", varied, "--variant", "two", "--output", "json").json
    assert two["variant"] == "two"
    lost = portchurn("explain", varied, "--variant", "three")
    assert lost.code == 2
    assert "there are: one, two" in lost.err
    plans = portchurn("explain", varied, "--plan").out
    assert plans.splitlines()[0].endswith("seed=5 variant='one'")


def test_a_wall_that_does_not_exist_is_null_in_json(file: Path) -> None:
    done = portchurn("explain", file, "--output", "json")
    rates = [one["per_s"] for one in done.json[0]["ceilings"]]
    assert rates[0] is None
    assert rates[1] == pytest.approx(16_383 / 60)
    assert "Infinity" not in json.dumps(done.json)


def test_planned_moves_are_told_and_the_plan_of_connections_stays(file: Path) -> None:
    churn = ["--set", "backends.churn={rate: 40/s, away: 10ms}", "--set", "backends.count=9"]
    done = portchurn("explain", file, *churn)
    assert "\nMOVES\n" in done.out
    assert "told after 100ms; a port rests for 0ns" in done.out
    assert "explain --plan names them all" in done.out
    (answer,) = portchurn("explain", file, "--output", "json", *churn).json
    assert {move["action"] for move in answer["moves"]} == {"leave", "back"}
    printed = portchurn("explain", "--plan", file, *churn).out
    assert printed.startswith(portchurn("explain", "--plan", file).out)
    assert printed.count("# ") == 3 + len(answer["moves"])


def test_a_nat_is_told_in_numbers_and_fits_the_engine_that_has_it(file: Path) -> None:
    sets = ("--set", "nat.preset=azure-nat-gateway", "--set", "balancer.driver=none")
    done = portchurn("explain", file, *sets)
    assert done.code == 0
    assert "FITS the model engine (nat: azure-nat-gateway" in done.out
    assert "50,000 ports for each address toward each destination" in done.out
    assert "a port rests 65s after a close, 16s after a reset" in done.out
    assert "nat-backend: 50,000 ports / (65s at rest + 0ns open) = 769/s" in done.out
    refused = portchurn("explain", file, *sets, "--set", "traffic.0.lifetime=10m")
    assert refused.code == EXIT_REFUSED
    assert "nat.idle_timeout" in refused.out
