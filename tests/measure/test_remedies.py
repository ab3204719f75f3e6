"""Remedies: the arithmetic in each text, their order, and none that gains nothing."""

from __future__ import annotations

import errno
import re
from typing import TYPE_CHECKING, Any

import pytest

from simulator.measure.remedies import Remedy, in_order
from simulator.measure.summary import summarize
from simulator.records import Call
from tests.support.runs import MS, RunBuilder, S, hop_sample, scenario

if TYPE_CHECKING:
    from pathlib import Path

ELSEWHERE = {"ports": "random", "range": "20000-29999"}


def remedies(root: Path, hop: dict[str, Any], **changes: Any) -> list[str]:  # noqa: ANN401 - keys
    """Remedies of a run of 1000/s whose balancer found no port; connections live 2 ms."""
    traffic = [{"name": "a", "for": "1s", "arrivals": {"constant": "1000/s"}}]
    given = {"traffic": traffic, "backends": ELSEWHERE} | changes
    run = RunBuilder(scenario=scenario(**given)).planned([i * MS for i in range(1000)]).started()
    for row in range(999):
        run.ok(row)
    run.failed(999, Call.RECV, errno.ECONNRESET).refusal(999, Call.CONNECT, errno.EADDRNOTAVAIL)
    run.dial(S, error=errno.EADDRNOTAVAIL).sample(S, {"balancer-backend": hop})
    found: list[str] = summarize(run.run(root))["verdict"]["remedies"]
    return found


def numbers(text: str) -> list[float]:
    """The two ends of ``x -> y`` in a text."""
    match = re.search(r"([\d,.]+)(?:/s)? -> (?:over )?([\d,.]+)", text)
    assert match is not None, text
    return [float(part.replace(",", "")) for part in match.groups()]


def test_lost_to_time_wait_each_remedy_moves_the_rate(tmp_path: Path) -> None:
    found = remedies(
        tmp_path,
        hop_sample(100, time_wait=100),
        kernel={"port_range": "50000-50099", "time_wait": "60s"},
    )
    assert len(found) == 3
    assert all("/s" in text for text in found)
    named = " ".join(found)
    # 100 ports / 60 s is 1.67/s; freeing them at once is the most that can be had
    assert "userspace" in named
    assert "balancer.close: backend" in named
    for text in found:
        before, after = numbers(text)
        assert before == pytest.approx(100 / 60.002, abs=0.01)
        assert after > before


@pytest.mark.parametrize(("driver", "can"), [("own", True), ("haproxy", True), ("nginx", False)])
def test_no_driver_is_told_to_do_what_it_cannot(tmp_path: Path, driver: str, can: bool) -> None:
    found = remedies(
        tmp_path,
        hop_sample(100, time_wait=100),
        kernel={"port_range": "50000-50099", "time_wait": "60s"},
        balancer={"driver": driver},
    )
    assert ("userspace" in " ".join(found)) is can


def test_what_is_as_good_as_it_gets_already_is_not_offered_again(tmp_path: Path) -> None:
    """All ports, ten requests on a connection and a short wait leave three remedies."""
    rate = {"constant": "1000/s"}
    found = remedies(
        tmp_path,
        hop_sample(64_511, time_wait=64_511),
        kernel={"port_range": "1024-65535", "time_wait": "1s"},
        traffic=[{"name": "a", "for": "1s", "arrivals": rate, "requests": 10}],
    )
    assert len(found) == 3
    assert found[2].startswith("2 source addresses (balancer.source.addresses): ceiling")
    assert numbers(found[2])[0] == pytest.approx(64_511 / 1.002, rel=1e-3)


def test_held_open_each_remedy_moves_the_number_at_once(tmp_path: Path) -> None:
    found = remedies(
        tmp_path,
        hop_sample(1000, established=1000),
        kernel={"port_range": "50000-50999", "time_wait": "60s"},
    )
    assert found == [
        "a wider range (kernel.port_range: 1024-65535): 1,000 -> 64,510 connections at once",
        "2 source addresses (balancer.source.addresses): 1,000 -> 2,000 connections at once",
        (
            "twice the destinations, such as a second port for each backend (backends.count): "
            "1,000 -> 2,000 connections at once"
        ),
    ]


def test_only_what_gains_is_kept_most_first_and_at_most_three() -> None:
    given = [Remedy(gain, f"x{gain}") for gain in (1.0, 2.0, 0.5, 9.0, 3.0, 4.0)]
    assert in_order(given) == ["x9.0", "x4.0", "x3.0"]
    assert in_order([Remedy(1.0, "nothing")]) == []
