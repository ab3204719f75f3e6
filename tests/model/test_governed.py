"""A relay of the model that looks after its backends does what queues and health say it must."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING

import numpy as np
import pytest
from scipy import stats

from simulator.model.governed import GovernedRelay, relay_for
from simulator.model.relay import Relay
from simulator.records import Call, Ending, Outcome
from simulator.units import NS_PER_S
from tests.support.modelled import modelled, modelled_file
from tests.support.scenarios import small

if TYPE_CHECKING:
    from pathlib import Path

    from simulator.engine import Run

MS = 1_000_000
TEXT = """
title: care
seed: 3
kernel: {port_range: 50000-59999, time_wait: 500ms}
backends: {count: 4, ports: random, range: 20000-29999}
balancer: {close: reset, retries: 0}
traffic:
  - {name: only, for: 3s, arrivals: {constant: 400/s}}
grace: 5s
"""


def waited_ns(run: Run) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """From connect to dial of each that was served by the only backend, in order."""
    served = run.connections["sent_ns"][run.connections["outcome"] == Outcome.OK]
    good = np.sort(run.dials["t_ns"][run.dials["error"] == 0])
    return good - served  # type: ignore[no-any-return]


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        ("balancer.retries=0", Relay),
        ("balancer.cap=5", GovernedRelay),
        ("balancer.on_no_port=queue", GovernedRelay),
        ("balancer.slow_start=1s", GovernedRelay),
        ("balancer.ejection={failures: 2}", GovernedRelay),
        ("balancer.health_checks={every: 1s}", GovernedRelay),
    ],
)
def test_only_who_asks_for_care_gets_it(change: str, kind: type[Relay]) -> None:
    assert relay_for(small(change)) is kind


def test_a_cap_with_a_queue_is_erlang_c(tmp_path: Path) -> None:
    # M/M/c: one backend, at most 8 connections to it, each for as long as its service takes.
    rate, service_s, slots = 30.0, 0.2, 8
    text = TEXT.replace("constant: 400/s", f"poisson: {rate}/s").replace("for: 3s", "for: 300s")
    given = (
        *(
            "backends.count=1",
            "backends.service_time={exponential: 200ms}",
            f"balancer.cap={slots}",
        ),
        *("balancer.queue={size: 100000, timeout: 1h}", "clients.timeout=1h", "sampling.every=10s"),
    )
    summary, run = modelled(text, tmp_path, *given)
    load = rate * service_s
    blocked = stats.poisson.pmf(slots, load) / stats.poisson.cdf(slots, load)
    waits = slots * blocked / (slots - load * (1 - blocked))  # Erlang C from Erlang B
    wait_s = waits / (slots / service_s - rate)
    found = waited_ns(run)
    assert np.mean(found > 0) == pytest.approx(waits, rel=0.12)
    assert found.mean() / NS_PER_S == pytest.approx(wait_s, rel=0.25)
    assert summary["care"]["queued"] == np.count_nonzero(found > 0)
    assert summary["attempts"]["failed"] == 0


def test_who_waits_for_a_port_is_served_when_there_is_one(tmp_path: Path) -> None:
    given = (
        *("kernel.port_range=50000-50199", "backends.count=1", "balancer.close=client"),
        *("balancer.on_no_port=queue", "balancer.queue={size: 5000, timeout: 9s}"),
        *("clients.timeout=10s", "traffic.only.arrivals.constant=600/s", "grace=9s"),
    )
    summary, run = modelled(TEXT, tmp_path, *given)
    assert summary["attempts"]["ok"] == 1800
    # 200 ports each 500 ms: the last of 1,800 is served in the ninth lot, 4 s after the first one
    # of the first; a lot begins with a look around, which comes every 10 ms.
    assert 4 * NS_PER_S <= run.dials["t_ns"].max() < 4.5 * NS_PER_S + 0.2 * NS_PER_S
    assert summary["care"]["waiting_peak"] == pytest.approx(600 * 3 - 200 * 6, abs=20)
    failed = modelled(TEXT, tmp_path, *given[:-5], "balancer.on_no_port=refuse", *given[-3:])[0]
    assert failed["attempts"]["ok"] == 200 * 6


def test_no_place_to_wait_and_no_more_patience_are_told_apart(tmp_path: Path) -> None:
    given = (
        *("backends.count=1", "backends.service_time=100ms", "balancer.cap=20"),
        *("balancer.queue={size: 50, timeout: 200ms}", "clients.timeout=10s"),
    )
    summary, run = modelled(TEXT, tmp_path, *given)
    care = summary["care"]
    # 20 slots of 100 ms serve 200/s; 50 waiting are served within 250 ms, some later than 200.
    assert summary["attempts"]["ok"] == pytest.approx(200 * 3 + 40, rel=0.05)
    refused = run.refusals
    assert set(zip(refused["call"].tolist(), refused["error"].tolist(), strict=True)) == {
        (Call.PICK, Ending.FULL)
    }
    assert len(refused["error"]) == care["queue_full"] + care["queue_timeouts"]
    assert care["queue_timeouts"] > 0
    late = run.connections["closed_ns"] - run.connections["sent_ns"]
    gave_up = late[(run.connections["outcome"] == Outcome.FAILED) & (late > 0)]
    assert len(gave_up) == care["queue_timeouts"]
    assert 200 * MS <= gave_up.min() <= gave_up.max() <= 210 * MS
    assert waited_ns(run).max() <= 210 * MS


def test_a_client_that_gives_up_leaves_the_queue(tmp_path: Path) -> None:
    given = (
        *("backends.count=1", "backends.service_time=100ms", "balancer.cap=20"),
        *("balancer.queue={size: 5000, timeout: 9s}", "clients.timeout=500ms"),
    )
    summary, _ = modelled(TEXT, tmp_path, *given)
    assert summary["attempts"]["errors"] == {
        "client-balancer/recv/TIMEOUT": pytest.approx(1200 - 160, abs=10)
    }
    # The n-th comes after n / 400 s and is through after n / 200 s, 100 ms at least: from the 160th
    # on that is more than 500 ms, and who is served in order is served too late.
    assert summary["care"]["waiting_peak"] == pytest.approx(400 * 0.5, abs=60)


def test_failed_connects_eject_for_longer_each_time(tmp_path: Path) -> None:
    given = ("backends.refusing=1", "balancer.ejection={failures: 3, for: 100ms}")
    summary, run = modelled(TEXT, tmp_path, *given)
    failed = run.dials["t_ns"][run.dials["error"] == errno.ECONNREFUSED]
    # Three connects, 100 ms without it, three connects, 200 ms ...: 100 n (n + 1) / 2 <= 3,000.
    assert summary["care"]["ejections"] == pytest.approx(7, abs=1)
    assert len(failed) == pytest.approx(3 * 7.5, abs=2)
    gaps = np.diff(failed)
    long = gaps[gaps > 50 * MS]
    assert (np.round(long / (100 * MS)) == np.arange(1, len(long) + 1)).all()


def test_below_the_panic_threshold_all_are_picked(tmp_path: Path) -> None:
    given = ("backends.refusing=3", "balancer.ejection={failures: 3, for: 10s}")
    summary, _ = modelled(TEXT, tmp_path, *given)
    assert summary["care"]["panics"] >= 1
    assert summary["attempts"]["failed"] > 800


def test_only_an_answer_clears_where_silence_is_judged(tmp_path: Path) -> None:
    given = (
        *("backends.faults={hanging: 1}", "clients.timeout=1s"),
        "balancer.ejection={failures: 2, for: 10s, silence: 100ms}",
    )
    summary, _ = modelled(TEXT, tmp_path, *given)
    # A quarter of 400/s goes there for the 100 ms of silence, and some for a look around.
    assert summary["care"]["ejections"] == 1
    assert summary["attempts"]["failed"] == pytest.approx(11, abs=2)
    unjudged = "balancer.ejection={failures: 2, for: 10s}"
    assert modelled(TEXT, tmp_path, *given[:-1], unjudged)[0]["care"]["ejections"] == 0


def test_resets_before_the_first_byte_eject_too(tmp_path: Path) -> None:
    given = (
        *("backends.faults={error_rate: 1.0}", "backends.service_time=1ms", "balancer.panic=0.1"),
        "balancer.ejection={failures: 5, for: 10s, silence: 1s}",
    )
    summary, _ = modelled(TEXT, tmp_path, *given)
    assert summary["care"]["ejections"] == 4


def test_a_backend_that_comes_back_warms_up(tmp_path: Path) -> None:
    given = (
        *("backends.ports=permanent", "backends.churn={away: 500ms, at: [{time: 500ms}]}"),
        *("balancer.policy=random", "traffic.only.arrivals.constant=2000/s"),
    )
    shares = []
    for ramp in ("0ms", "2s"):
        _, run = modelled(TEXT, tmp_path / ramp, *given, f"balancer.slow_start={ramp}")
        [left] = [one["backend"] for one in run.events if one["event"] == "backend-left"]
        ramped = run.dials["t_ns"] >= NS_PER_S
        shares.append(float(np.mean(run.dials["backend"][ramped] == left)))
    assert shares[0] == pytest.approx(1 / 4, rel=0.1)
    # Evenly from nothing to its share over the two seconds that are left.
    assert shares[1] == pytest.approx(1 / 8, rel=0.1)


@pytest.mark.parametrize("name", ["health-check-cost", "flapping-backend"])
def test_shipped_scenarios_hold_their_thresholds(name: str, tmp_path: Path) -> None:
    for variant, (summary, _) in modelled_file(name, tmp_path).items():
        assert all(one["holds"] for one in summary["thresholds"]), variant
