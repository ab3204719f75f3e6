"""Each shipped scenario of a NAT or of another system: the documented numbers hold."""

from __future__ import annotations

import json
from math import pi, sqrt
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest

from simulator.measure.summary_schema import summary_schema
from simulator.ports.nat.presets import PRESETS
from simulator.theory.conntrack import nat_ceiling
from simulator.theory.little import ceiling_per_s
from tests.support.forecasts import forecasts
from tests.support.modelled import modelled_file

if TYPE_CHECKING:
    from pathlib import Path


def run(name: str, root: Path) -> dict[str, dict[str, Any]]:
    """The summary of each variant; its thresholds hold, and closed forms that apply agree."""
    found = {}
    told = forecasts(name)
    for variant, (summary, _) in modelled_file(name, root).items():
        assert all(one["holds"] for one in summary["thresholds"]), (variant, summary["thresholds"])
        assert summary["thresholds"]
        assert summary["valid"]
        forecast = told[variant]
        assert summary["verdict"]["code"] == forecast.verdict or forecast.not_applied
        if forecast.ok is not None:
            assert summary["attempts"]["ok"] == pytest.approx(forecast.ok, rel=0.005)
        found[variant] = summary
    return found


def ceiling(summary: dict[str, Any]) -> float:
    return float(summary["verdict"]["evidence"]["ceiling_per_s"])


def test_nat_aws_gateway(tmp_path: Path) -> None:
    """A tenth of it; that 55,000 flows fit and no more is seen to by the rule's own tests."""
    tenth = ("nat.per_destination=5500", "traffic.hold.hold={connections: 5600, rate: 2000/s}")
    found = {
        name: one for name, (one, _) in modelled_file("nat-aws-gateway", tmp_path, *tenth).items()
    }
    one = found["one address"]
    assert one["attempts"]["errors"] == {"nat-backend/allocate/NAT_PORTS": 100}
    assert "ErrorPortAllocation" in one["verdict"]["sentence"]
    assert "up to 8" in one["verdict"]["remedies"][0]
    assert one["nat"]["flows"] == 5_500
    assert found["two addresses"]["attempts"]["failed"] == 0
    assert [one.failed for one in forecasts("nat-aws-gateway").values()] == [1_000, 0]


def test_nat_aws_nlb(tmp_path: Path) -> None:
    """A tenth of the ports and of the load: the laws are the same, and it takes a tenth."""
    tenth = ("nat.per_destination=5500", "traffic.calls.arrivals.constant=100/s")
    numbers = {"one target": (5_999, 6_001), "two targets": (6_500, 6_500)}
    for name, (summary, _) in modelled_file("nat-aws-nlb", tmp_path, *tenth).items():
        least, most = numbers[name]
        assert least <= summary["attempts"]["ok"] <= most
        if name == "one target":
            assert ceiling(summary) == pytest.approx(ceiling_per_s(5_500, 1e-4, 60))
    assert PRESETS["aws-nlb"].per_destination == 10 * 5_500  # 55,000 a minute


def test_nat_azure_balancer(tmp_path: Path) -> None:
    found = run("nat-azure-balancer", tmp_path)
    assert found["one address"]["hops"][-1]["exhausted_at_s"] == pytest.approx(512 / 6, abs=0.2)
    assert found["two addresses"]["hops"][-1]["exhausted_at_s"] == pytest.approx(1024 / 6, abs=0.2)
    remedies = " ".join(found["three addresses"]["verdict"]["remedies"])
    assert "a NAT gateway instead" in remedies
    assert "nat.addresses" not in remedies  # a fourth address is no help


def test_nat_azure_gateway(tmp_path: Path) -> None:
    found = run("nat-azure-gateway", tmp_path)
    assert ceiling(found["close"]) == pytest.approx(500 / 65, rel=0.01)
    assert any("by a reset" in one for one in found["close"]["verdict"]["remedies"])


def test_nat_google_static(tmp_path: Path) -> None:
    found = run("nat-google-static", tmp_path)
    assert ceiling(found["as it comes"]) == pytest.approx(64 / 120, rel=0.01)
    assert found["as it comes"]["nat"]["served"] == 1_008
    mapping = found["the same, endpoint mapping"]["verdict"]["remedies"]
    assert any("endpoint-dependent" in one for one in mapping)


def test_nat_google_dynamic(tmp_path: Path) -> None:
    found = run("nat-google-dynamic", tmp_path)
    assert found["at once"]["nat"]["places"] == 1_000
    assert found["after 200 ms"]["nat"]["refused"] == {"ports": 744, "pool": 0, "table": 0}


def test_its_summary_is_as_the_schema_says(tmp_path: Path) -> None:
    for summary in run("nat-carrier", tmp_path).values():
        jsonschema.validate(json.loads(json.dumps(summary)), summary_schema())


def test_nat_ananta(tmp_path: Path) -> None:
    found = run("nat-ananta", tmp_path)
    local = {name: 1 - one["nat"]["asks"] / one["nat"]["flows"] for name, one in found.items()}
    assert local["one block"] == pytest.approx(0.88, abs=0.01)  # the paper's numbers
    assert local["four blocks"] == pytest.approx(0.96, abs=0.01)


def test_nat_carrier(tmp_path: Path) -> None:
    found = run("nat-carrier", tmp_path)
    assert found["by destination"]["hops"][-1]["in_use_peak"] == 1_100 / 50
    limited = found["with a limit"]["verdict"]
    assert limited["evidence"]["cause"] == "held"
    assert any("port limit" in one for one in limited["remedies"])


def test_nat_linux(tmp_path: Path) -> None:
    found = run("nat-linux", tmp_path)
    full = found["as it comes"]
    theory = nat_ceiling(2_048, 8 * 64_512, 1e-4)
    assert theory.by == "table"
    assert ceiling(full) == pytest.approx(theory.per_s, rel=0.01)
    assert nat_ceiling(262_144, 8 * 64_512, 0).per_s == pytest.approx(2_184, abs=1)
    assert full["hops"][-1]["exhausted_at_s"] == pytest.approx(2_048 / 25, abs=0.2)
    assert any("nf_conntrack_max" in one for one in full["verdict"]["remedies"])


def test_nat_full(tmp_path: Path) -> None:
    found = run("nat-full", tmp_path)
    # The mean surplus of one core over its thousand, for a normal spread, eight times.
    expected = 8 * sqrt(1_000 * 7 / 8) / sqrt(2 * pi)
    assert found["eight cores"]["attempts"]["failed"] == pytest.approx(expected, rel=0.6)


def test_windows_client(tmp_path: Path) -> None:
    found = run("windows-client", tmp_path)
    assert ceiling(found["as it comes"]) == pytest.approx(68.3, abs=0.1)
    remedies = " ".join(found["as it comes"]["verdict"]["remedies"])
    assert "TcpTimedWaitDelay" in remedies


def test_macos_client(tmp_path: Path) -> None:
    found = run("macos-client", tmp_path)
    assert ceiling(found["as it comes"]) == pytest.approx(546.1, abs=0.2)
    hop = found["as it comes"]["hops"][0]
    assert hop["exhausted_at_s"] == pytest.approx(16_384 / 800, abs=0.05)
