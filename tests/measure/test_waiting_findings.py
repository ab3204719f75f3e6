"""What is said of slow backends and idle cuts: the sentence, and remedies with their arithmetic."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from simulator.measure.summary import summarize
from simulator.records import Call, Ending
from tests.support.runs import MS, RunBuilder, S, scenario

if TYPE_CHECKING:
    from pathlib import Path

TRAFFIC = [{"name": "a", "for": "1s", "arrivals": {"constant": "100/s"}}]


def slow(root: Path, accepted: int, **backends: Any) -> dict[str, Any]:  # noqa: ANN401 - scenario keys
    """A hundred connections, of which forty got no answer."""
    made = scenario(traffic=TRAFFIC, clients={"timeout": "300ms"}, backends=backends)
    run = RunBuilder(scenario=made).started().planned([i * 10 * MS for i in range(100)])
    for row in range(100):
        run.dial(row * 10 * MS)
        if row < 60:
            run.ok(row)
        else:
            run.failed(row, Call.RECV, Ending.TIMEOUT, connected_ns=row * 10 * MS + 1)
    run.tick(2 * S, "backend", accepted=accepted)
    found: dict[str, Any] = summarize(run.run(root))["verdict"]
    return found


def test_slow_in_service(tmp_path: Path) -> None:
    found = slow(tmp_path, 100, service_time="2s")
    assert (found["code"], found["hop"]) == ("backend-slow", "client-balancer")
    assert found["sentence"] == (
        "The backends were too slow: 40 established connections got no answer within 300ms; the "
        "backends had accepted them and did not answer (mean service time 2s); 40.0 % of "
        "connections failed (TIMEOUT)."
    )
    assert "300ms -> 4s" in found["remedies"][1]
    assert "200 requests in service at once" in found["remedies"][2]  # 100/s x 2 s
    assert found["evidence"]["waited_in"] == "service"


def test_slow_to_accept(tmp_path: Path) -> None:
    found = slow(tmp_path, 60, accept_every="50ms", count=2)
    assert found["code"] == "backend-slow"
    assert (
        "in the backends' accept queues (60 of 100 connections were accepted)" in found["sentence"]
    )
    assert "each backend accepts 20/s" in found["remedies"][0]
    assert "50/s are asked of it" in found["remedies"][0]
    assert "backends.count: 2 -> 5" in found["remedies"][1]  # 100/s at 20/s each
    assert found["evidence"]["waited_in"] == "accept-queue"


def test_a_queue_whose_pace_is_not_known_has_remedies_too(tmp_path: Path) -> None:
    assert len(slow(tmp_path, 60)["remedies"]) == 2


def test_idle_timeout(tmp_path: Path) -> None:
    made = scenario(traffic=TRAFFIC, balancer={"idle_timeout": "500ms"})
    run = RunBuilder(scenario=made).started().planned([0, MS], requests=2, lifetime_ns=2 * S)
    run.ok(0, answers=2)
    kept = {"connected_ns": 2 * MS, "answered_ns": 3 * MS, "answers": 1}
    run.failed(1, Call.RECV, Ending.EOF, after=502 * MS, **kept)
    run.tick(S, "balancer", idle_closed=1)
    found = summarize(run.run(tmp_path))["verdict"]
    assert found["code"] == "idle-timeout"
    assert found["sentence"] == (
        "The balancer's idle timeout cut connections that were still wanted: 1 had rested for "
        "500ms when balancer.idle_timeout is 500ms, and requests are 1s apart; 50.0 % of "
        "connections failed (EOF)."
    )
    assert "balancer.idle_timeout: 500ms -> 2s" in found["remedies"][0]
