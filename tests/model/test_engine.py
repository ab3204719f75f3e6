"""The model engine keeps the protocol and the accounting, and stops when it is asked to."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING

import numpy as np
import pytest
from scipy import stats

from simulator.errors import Refused
from simulator.records import Outcome
from simulator.units import NS_PER_S
from tests.support.jobs import Watcher
from tests.support.modelled import modelled, modelled_file
from tests.support.scenarios import SMALL

if TYPE_CHECKING:
    from pathlib import Path

WALL = """
title: the law
kernel: {port_range: 50000-50399, time_wait: 500ms}
backends: {ports: random, range: 20000-29999}
balancer: {close: client}
traffic:
  - {name: steady, for: 10s, arrivals: {constant: 1600/s}}
"""


def test_the_ceiling_is_ports_over_time_wait(tmp_path: Path) -> None:
    summary, _ = modelled(WALL, tmp_path)
    assert summary["engine"] == "model"
    assert summary["valid"], summary["doubts"]
    assert summary["verdict"]["code"] == "balancer-source-ports"
    # 400 ports in each of the 20 holds, to the unit.
    assert summary["attempts"]["ok"] == 400 * 10 * 2
    [_, hop] = summary["hops"]
    assert hop["in_use_peak"] == hop["budget"] == 400
    # The 401st connection is the first without a port: 400 / 1,600 per second after the first.
    assert hop["exhausted_at_s"] == pytest.approx(400 / 1600, abs=1 / 1600)


def test_the_same_seed_gives_the_same_records(tmp_path: Path) -> None:
    text = WALL.replace("constant: 1600/s", "poisson: 900/s")
    first, second = (modelled(text, tmp_path / name)[1] for name in ("a", "b"))
    for name, column in first.connections.items():
        assert np.array_equal(column, second.connections[name]), name
    for name, column in first.dials.items():
        assert np.array_equal(column, second.dials[name]), name
    assert first.samples == second.samples


@pytest.mark.parametrize(("ports", "rate", "hold_ms"), [(20, 30, 500), (20, 50, 600)])
def test_loss_is_erlang_b(tmp_path: Path, ports: int, rate: int, hold_ms: int) -> None:
    # M/G/c/c: only the mean of the hold matters, and TIME_WAIT is part of the hold.
    text = f"""
title: losses
kernel: {{port_range: 50000-{50000 + ports - 1}, time_wait: 100ms}}
backends: {{ports: random, range: 20000-29999}}
balancer: {{close: client}}
traffic:
  - name: steady
    for: 600s
    arrivals: {{poisson: {rate}/s}}
    lifetime: {{exponential: {hold_ms - 100}ms}}
sampling: {{every: 10s}}
"""
    summary, run = modelled(text, tmp_path)
    offered = rate * hold_ms / 1000
    loss = stats.poisson.pmf(ports, offered) / stats.poisson.cdf(ports, offered)
    attempts = summary["attempts"]
    # Losses come in clumps while the range is full: about one clump for each hold.
    clumps = 600 / (hold_ms / 1000)
    spread = 4 * loss * np.sqrt(1 / (loss * clumps))
    assert attempts["failed"] / attempts["sent"] == pytest.approx(loss, abs=spread)
    refused = run.refusals["error"]
    assert set(refused.tolist()) == {errno.EADDRNOTAVAIL}
    assert summary["attributed"] == attempts["failed"] == len(refused)


def test_costs_that_a_model_does_not_have_are_left_out(tmp_path: Path) -> None:
    summary, _ = modelled(SMALL, tmp_path)
    assert set(summary["cpu"].values()) == {None}
    assert set(summary["memory"].values()) == {None}
    assert {table["unit"] for table in summary["connect_cost"].values()} == {"probes"}
    assert "no CPU" in summary["notes"][0]
    assert summary["model"]["path"] in ("events", "stretches")
    assert summary["model"]["sent"] == 10


def test_a_stop_is_obeyed_and_accounted_for(tmp_path: Path) -> None:
    text = WALL.replace("for: 10s", "for: 100s")
    watch = Watcher(stop_in="running", level=1)
    summary, run = modelled(text, tmp_path, "balancer.workers=2", watch=watch)
    attempts = summary["attempts"]
    assert attempts["not_sent"]["stopped"] > 0
    assert attempts["planned"] == attempts["sent"] + attempts["not_sent"]["stopped"]
    assert "interrupted" in {doubt["code"] for doubt in summary["doubts"]}
    assert not np.any(run.connections["outcome"] == Outcome.PLANNED)


def test_a_plain_run_shows_progress_and_a_stop_leaves_it_whole(tmp_path: Path) -> None:
    watch = Watcher(stop_in="draining", level=1)
    summary, _ = modelled(WALL, tmp_path, watch=watch)
    assert summary["model"]["path"] == "stretches"
    assert watch.states == ["draining"]
    assert summary["attempts"]["not_sent"] == {}


def test_what_it_cannot_do_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(Refused, match=r"backends\.accept_every"):
        modelled(SMALL, tmp_path, "backends.accept_every=1ms")
    assert not list(tmp_path.rglob("manifest.json"))


def test_samples_come_at_their_moments_to_the_end(tmp_path: Path) -> None:
    summary, run = modelled(WALL, tmp_path, "sampling.every=250ms")
    assert summary["attempts"]["open_at_end"] == 0
    moments = [sample["t_ns"] for sample in run.samples]
    assert moments == list(range(NS_PER_S // 4, 10 * NS_PER_S + 1, NS_PER_S // 4))


# What the shipped scenarios promise by arithmetic; their own thresholds are part of it.


def test_hold_the_range_fails_with_the_first_connection_too_many(tmp_path: Path) -> None:
    summary, run = modelled_file("hold-the-range", tmp_path)[""]
    assert all(one["holds"] for one in summary["thresholds"])
    [failed] = np.flatnonzero(run.connections["outcome"] == Outcome.FAILED)
    assert failed == 16_384


def test_late_bind_gives_each_port_to_each_destination(tmp_path: Path) -> None:
    found = modelled_file("late-bind", tmp_path)
    assert [summary["attempts"]["failed"] for summary, _ in found.values()] == [700, 0]
    assert all(one["holds"] for summary, _ in found.values() for one in summary["thresholds"])


@pytest.mark.parametrize(
    ("name", "counts"),
    [
        # 500 ports a hold: six holds of 500 ms or 520 ms begin within the 3 s.
        ("who-closes-first", {"client": 3000, "balancer": 3000, "backend": 4500, "reset": 4500}),
        ("many-addresses", {"one": 3000, "two": 6000, "four": 7500}),
        ("why-dynamic-range", {"permanent": 16384, "borrowed": 20000, "many-tuples": 20000}),
        ("retry-herd", {"same-pause": 800}),
    ],
)
def test_shipped_scenarios_come_out_to_the_unit(
    tmp_path: Path, name: str, counts: dict[str, int]
) -> None:
    found = modelled_file(name, tmp_path)
    for variant, ok in counts.items():
        assert found[variant][0]["attempts"]["ok"] == ok, variant
    assert all(one["holds"] for summary, _ in found.values() for one in summary["thresholds"])


def test_port_wall_stands_where_the_ramp_passes_the_ceiling(tmp_path: Path) -> None:
    summary, run = modelled_file("port-wall", tmp_path)[""]
    assert all(one["holds"] for one in summary["thresholds"])
    rows = run.connections
    late = rows["sent_ns"] >= 6 * NS_PER_S
    served = np.count_nonzero(late & (rows["outcome"] == Outcome.OK)) / 2
    assert served == pytest.approx(2000, rel=0.02)


def test_the_cliff_of_connect_stands_at_half_of_the_range(tmp_path: Path) -> None:
    found = modelled_file("half-full-cliff", tmp_path)
    tables = {name: summary["connect_cost"] for name, (summary, _) in found.items()}
    table = tables["kernel"]["client-backend"]
    assert (table["method"], table["unit"]) == ("exact", "probes")
    # One parity first: behind the half, every connect looks at its 4,096 busy ports and one more.
    assert table["knee"] == pytest.approx(0.5, abs=0.0025)
    assert {row["p50"] for row in table["buckets"][10:15]} <= {4097, 4099}
    assert max(row["max"] for row in table["buckets"][:9]) < 100
    assert tables["socket-range"]["client-backend"]["knee"] is None
    # We pick ourselves there: the list knows the next one, and nothing is looked at.
    assert tables["userspace"] == {}


def test_large_plain_runs_go_by_arrays_and_small_ones_port_by_port(tmp_path: Path) -> None:
    small, _ = modelled(WALL.replace("for: 10s", "for: 2s"), tmp_path)
    large, run = modelled(WALL, tmp_path)
    assert (small["model"]["path"], large["model"]["path"]) == ("events", "stretches")
    assert small["connect_cost"]["balancer-backend"]["buckets"][-1]["failed_max"] == 400
    assert large["connect_cost"] == {}
    assert len(run.walks["probes"]) == 0
