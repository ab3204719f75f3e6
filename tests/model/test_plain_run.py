"""By arrays and event by event the same comes out: every row, every dial, every sample."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from simulator.model.engine import ModelEngine, read_plan
from simulator.model.plain import is_plain
from simulator.model.plain_run import PlainRun
from simulator.store.read import load_run
from tests.support.jobs import Watcher, write_job
from tests.support.runs import scenario

if TYPE_CHECKING:
    from simulator.engine import Run
    from simulator.scenario.schema import Scenario

SAME = ("sent_ns", "connected_ns", "first_byte_ns", "answered_ns", "closed_ns", "outcome", "call",
        "error", "source", "backend", "answers", "bytes_in")  # fmt: skip


def both(root: Path, asked: Scenario) -> tuple[Run, Run]:
    """The records of one scenario, by arrays and by events."""
    runs = []
    for arrays in (True, False):
        with write_job(root / str(arrays), asked) as writer:
            engine = ModelEngine(arrays=arrays)
            asyncio.run(engine.run(writer.job, writer, Watcher()))
            runs.append(load_run(writer.folder))
    return runs[0], runs[1]


def path(run: Run) -> str:
    [told] = [one["path"] for one in run.events if one["event"] == "model"]
    return str(told)


def assert_same(plain: Run, events: Run) -> None:
    assert (path(plain), path(events)) == ("stretches", "events")
    for name in SAME:
        assert np.array_equal(plain.connections[name], events.connections[name]), name
    for name in ("t_ns", "backend", "source", "error", "call"):
        assert np.array_equal(plain.dials[name], events.dials[name]), name
        if name != "source":
            assert np.array_equal(plain.refusals[name], events.refusals[name]), name
    assert len(plain.samples) == len(events.samples)
    for one, other in zip(plain.samples, events.samples, strict=True):
        assert one["t_ns"] == other["t_ns"]
        for hop, seen in one["hops"].items():
            for key in ("in_use", "established", "time_wait", "other", "groups", "budget"):
                assert seen[key] == other["hops"][hop][key], (hop, key, one["t_ns"])
            worst = [
                each and each["in_use"] for each in (seen["worst"], other["hops"][hop]["worst"])
            ]
            assert worst[0] == worst[1]
    assert list(plain.leases) == list(events.leases)


@settings(max_examples=12)
@given(
    mode=st.sampled_from(["kernel", "late-bind", "socket-range", "early-bind", "permanent"]),
    driver=st.sampled_from(["own", "none"]),
    close=st.sampled_from(["client", "balancer"]),
    backends=st.integers(1, 3),
    addresses=st.integers(1, 3),
    lifetime=st.sampled_from(["0ms", "30ms", {"exponential": "50ms"}]),
    service=st.sampled_from(["0ms", "7ms", {"exponential": "20ms"}]),
    requests=st.integers(0, 1),
    shape=st.sampled_from(["constant", "poisson"]),
    seed=st.integers(0, 1000),
)
def test_arrays_and_events_agree(  # noqa: PLR0917
    mode: str,
    driver: str,
    close: str,
    backends: int,
    addresses: int,
    lifetime: Any,  # noqa: ANN401 - as in a scenario
    service: Any,  # noqa: ANN401
    requests: int,
    shape: str,
    seed: int,
) -> None:
    source = {"ports": mode, "addresses": addresses}
    straight = driver == "none"
    asked = scenario(
        seed=seed,
        kernel={"port_range": "50000-50019", "time_wait": "100ms"},
        backends={
            "count": backends, "ports": "random", "range": "20000-29999", "service_time": service,
        },
        balancer={
            "driver": driver, "close": "client" if straight else close, "retries": 0,
            **({} if straight else {"source": source, "idle_timeout": "5s"}),
        },
        clients=(
            {"source": source}
            if straight
            else {"processes": 2, "source": {"range": "30000-40000"}}
        ),
        traffic=[
            {
                "name": "only", "for": "1s", "arrivals": {shape: "400/s"},
                "requests": requests, "lifetime": lifetime,
            }
        ],
        grace="6s",
    )  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        assert_same(*both(Path(folder), asked))


def test_what_is_held_and_what_is_still_open_at_the_end(tmp_path: Path) -> None:
    asked = scenario(
        kernel={"port_range": "50000-50099"},
        backends={"ports": "random", "range": "20000-29999"},
        balancer={"driver": "none", "close": "client"},
        clients={"source": {"addresses": 1, "ports": "kernel"}},
        traffic=[
            {"name": "hold", "for": "1s", "hold": {"connections": 101, "rate": "500/s"}},
            {"name": "long", "for": "1s", "arrivals": {"constant": "5/s"}, "lifetime": "1h"},
        ],
        grace="1s",
    )
    assert_same(*both(tmp_path, asked))


def test_ports_are_held_by_one_at_a_time(tmp_path: Path) -> None:
    asked = scenario(
        kernel={"port_range": "50000-50019", "time_wait": "100ms"},
        backends={"ports": "random", "range": "20000-29999"},
        balancer={"driver": "none", "close": "client"},
        clients={"source": {"addresses": 1, "ports": "kernel"}},
        traffic=[{"name": "only", "for": "3s", "arrivals": {"poisson": "180/s"}}],
    )
    plain, _ = both(tmp_path, asked)
    rows = plain.connections
    for port in range(50_000, 50_020):
        sent = np.sort(rows["sent_ns"][rows["port"] == port])
        assert len(sent) > 1
        assert np.diff(sent).min() >= 100_000_000


def test_losses_of_a_quarter_of_a_million_are_erlang_b(tmp_path: Path) -> None:
    asked = scenario(
        kernel={"port_range": "50000-50999", "time_wait": "500ms"},
        backends={"ports": "random", "range": "20000-29999"},
        traffic=[{"name": "only", "for": "100s", "arrivals": {"poisson": "2500/s"}}],
        sampling={"every": "1s"},
    )
    with write_job(tmp_path, asked) as writer:
        plan = read_plan(writer.folder)
        assert is_plain(asked, plan)
        run = PlainRun(asked, plan, writer.line)
        run.write(writer.folder, writer)
        records = load_run(writer.folder)
    lost = stats.poisson.pmf(1000, 1250) / stats.poisson.cdf(1000, 1250)  # Erlang B
    assert np.mean(records.dials["error"] != 0) == pytest.approx(lost, rel=0.02)
