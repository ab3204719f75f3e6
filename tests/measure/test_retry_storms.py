"""Retry storms: what is asked would fit, what comes does not, and most of it waits in vain."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from simulator.measure.retry_storms import RetryStorm, capacity_per_s, retry_storm
from simulator.measure.summary import summarize
from simulator.records import Call, Ending
from tests.support.runs import MS, RunBuilder, scenario

if TYPE_CHECKING:
    from pathlib import Path

BACKENDS = {"count": 2, "concurrency": 1, "service_time": "20ms"}
TRAFFIC = [
    {"name": "burst", "for": "1s", "arrivals": {"constant": "10/s"}},
    {"name": "steady", "for": "2s", "arrivals": {"constant": "50/s"}},
]


def storm(asked: int = 100, tries: int = 3, *, late: int = 280, **changes: Any) -> RunBuilder:  # noqa: ANN401
    """So many connections wanted in two seconds, each tried so often; the first ``late`` failed."""
    given: dict[str, Any] = {
        "backends": BACKENDS,
        "traffic": TRAFFIC,
        "clients": {"timeout": "200ms", "retry": {"attempts": 5}},
    }
    count = asked * tries
    run = RunBuilder(scenario=scenario(**(given | changes))).started()
    run.planned([1000 * MS + i * 2000 * MS // count for i in range(count)])
    run.plan["attempt"] = (np.arange(count) % tries).astype(np.uint8)
    for row in range(count):
        if row < late:
            run.failed(row, Call.RECV, Ending.TIMEOUT, connected_ns=1000 * MS)
        else:
            run.ok(row)
        run.dial(1000 * MS)
    return run.tick(3000 * MS, "backend", accepted=count)


def found(run: RunBuilder, root: Path) -> RetryStorm | None:
    return retry_storm(run.run(root))


def test_capacity_is_all_that_is_served_at_a_time() -> None:
    assert capacity_per_s(scenario(backends=BACKENDS)) == 100
    assert capacity_per_s(scenario(backends={**BACKENDS, "concurrency": None})) is None
    assert capacity_per_s(scenario(backends={"concurrency": 3})) is None  # it takes no time


def test_a_storm_counts_wants_and_tries_of_the_last_phase(tmp_path: Path) -> None:
    told = found(storm(), tmp_path)
    assert told is not None
    assert told.phase == "steady"
    assert (told.asked_per_s, told.sent_per_s, told.served_per_s) == (50, 150, 100)
    assert told.timed_out == pytest.approx(280 / 300)


@pytest.mark.parametrize(
    "calm",
    [
        storm(asked=90),  # 45/s would fit, three tries of each do not
        storm(tries=1, late=90),
        storm(asked=300, tries=1, late=280),  # too much is asked: no fault of retries
        storm(late=100),  # two thirds are served in time
        storm(backends={**BACKENDS, "concurrency": None}),
        storm(clients={"timeout": "200ms"}),
    ],
    ids=["still-a-storm", "fits", "asked-too-much", "served", "no-bound", "no-retries"],
)
def test_what_else_is_slow_is_no_storm(
    tmp_path: Path, calm: RunBuilder, request: pytest.FixtureRequest
) -> None:
    is_storm = "still-a-storm" in request.node.name
    assert (found(calm, tmp_path) is not None) is is_storm


def test_the_verdict_says_what_would_have_fitted(tmp_path: Path) -> None:
    verdict = summarize(storm().run(tmp_path))["verdict"]
    assert verdict["code"] == "retry-storm"
    assert verdict["sentence"] == (
        "Retries kept the backends overloaded: in phase steady 50/s were asked and 100/s could be "
        "served (2 x 1 at a time), but with retries 150/s came, and 93 % of these got no answer "
        "within 200ms; 93.3 % of connections failed (TIMEOUT)."
    )
    assert (
        "50/s x (1 + 1) = 100/s still fit, 50/s x 5 tries = 250/s do not" in verdict["remedies"][0]
    )


def test_without_a_storm_the_backends_are_slow(tmp_path: Path) -> None:
    run = storm(clients={"timeout": "200ms"})
    del run.plan["attempt"]
    assert summarize(run.run(tmp_path))["verdict"]["code"] == "backend-slow"
