"""`portchurn predict` as a user calls it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from simulator.cli.predict import command
from tests.support.command import SCENARIOS, portchurn, write_scenario
from tests.support.scenarios import SMALL

if TYPE_CHECKING:
    from pathlib import Path

CLOSING = SCENARIOS / "who-closes-first.yaml"


def test_it_answers_for_each_variant_and_starts_nothing() -> None:
    done = portchurn("predict", CLOSING)
    assert (done.code, done.err) == (0, "")
    assert done.out.count("\nEXPECTED  verdict") == 4
    assert "[client]\nThe balancer will run out of source ports on balancer-backend" in done.out
    assert "[backend]\nNo wall: 4,500 connections" in done.out


def test_json_is_what_the_text_is_made_from() -> None:
    arguments = [str(CLOSING), "--variant", "reset", "--set", "traffic.0.for=1s", "--seed", "4"]
    done = CliRunner().invoke(command, [*arguments, "--output", "json"])
    (answer,) = json.loads(done.output)
    assert answer["variant"] == "reset"
    assert answer["verdict"] == "ok"
    assert answer["asked"] == pytest.approx(1500)
    assert answer["failed"] == 0
    assert answer["hops"][1]["ceiling_per_s"] is None  # no limit
    assert answer["not_applied"] == []


def test_a_wrong_file_or_variant_is_a_usage_error(tmp_path: Path) -> None:
    wrong = write_scenario(tmp_path / "wrong.yaml", SMALL + "seed: x\n")
    assert portchurn("predict", wrong).code == 2
    unknown = portchurn("predict", CLOSING, "--variant", "none")
    assert unknown.code == 2
    assert "client, balancer, backend, reset" in unknown.err


def test_a_nat_is_a_hop_of_its_own(tmp_path: Path) -> None:
    nat = "nat: {preset: aws-nlb, per_destination: 6}\n"
    file = write_scenario(tmp_path / "nat.yaml", SMALL + nat)
    done = portchurn("predict", file)
    assert done.code == 0
    assert "The NAT will run out of source ports on nat-backend" in done.out
