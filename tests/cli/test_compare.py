"""`portchurn compare`: model and kernel on one short scenario, and what it refuses."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.support.command import portchurn, write_scenario

if TYPE_CHECKING:
    from pathlib import Path

SHORT = """
title: short
kernel: {port_range: 50000-50199, time_wait: 400ms}
backends: {ports: random, range: 20000-29999}
balancer: {close: client}
traffic:
  - {name: only, for: 2s, arrivals: {constant: 800/s}}
"""


@pytest.mark.namespace
@pytest.mark.alone
def test_model_and_kernel_agree_on_the_wall(tmp_path: Path) -> None:
    file = write_scenario(tmp_path / "short.yaml", SHORT)
    done = portchurn("compare", file, "--results", tmp_path / "results", "--output", "json")
    [found] = json.loads(done.out).values()
    errors = {one["name"]: one["error"] for one in found}
    # 200 ports in each of five holds, by both; a busy machine may cost the kernel some of them.
    [ok] = [one for one in found if one["name"] == "ok"]
    assert ok["model"] == 1000
    assert errors["ok"] <= 0.1
    assert errors["verdict balancer-source-ports"] == 0
    assert errors["balancer-backend peak"] <= 0.02
    assert errors["balancer-backend in_use"] <= 0.15
    assert done.code in (0, 4)


def test_what_the_model_cannot_do_is_refused_before_anything_runs(tmp_path: Path) -> None:
    text = f"{SHORT}sidecar: {{}}\n"
    file = write_scenario(tmp_path / "sidecar.yaml", text)
    done = portchurn("compare", file, "--results", tmp_path / "results")
    assert done.code == 3
    assert "sidecar" in done.err
    assert done.out == ""


def test_an_unknown_variant_is_refused(tmp_path: Path) -> None:
    text = f"{SHORT}variants:\n  one: {{seed: 2}}\n"
    file = write_scenario(tmp_path / "variants.yaml", text)
    done = portchurn("compare", file, "--variant", "other")
    assert done.code == 2
    assert "other" in done.err
