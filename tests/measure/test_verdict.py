"""The verdict: each code from hand-made runs, its sentence word for word where it matters."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING, Any

import pytest

from simulator.measure.summary import summarize
from simulator.records import Call, Ending, Hop, Outcome
from simulator.scenario.thresholds import VERDICTS
from tests.support.runs import MS, RunBuilder, S, hop_sample, scenario

if TYPE_CHECKING:
    from pathlib import Path

ELSEWHERE = {"ports": "random", "range": "20000-29999"}


def build(count: int, **changes: Any) -> RunBuilder:  # noqa: ANN401 - scenario keys
    """A run of so many connections over two seconds, all ok until set otherwise."""
    traffic = [{"name": "a", "for": "2s", "arrivals": {"constant": f"{count / 2:g}/s"}}]
    given = {"traffic": traffic, "backends": ELSEWHERE} | changes
    run = RunBuilder(scenario=scenario(**given)).planned([i * 2 * S // count for i in range(count)])
    for row in range(count):
        run.ok(row)
    return run.started()


def verdict(builder: RunBuilder, root: Path) -> dict[str, Any]:
    found: dict[str, Any] = summarize(builder.run(root))["verdict"]
    assert found["code"] in VERDICTS
    assert found["sentence"].endswith(".")
    assert len(found["sentence"].splitlines()) == 1
    return found


def balancer_without_ports(time_wait: int, established: int) -> RunBuilder:
    """The second of two seconds fails for want of source ports, half of its connections."""
    run = build(1000, kernel={"port_range": "50000-51999", "time_wait": "500ms"})
    for row in range(501, 1000, 2):
        run.failed(row, Call.RECV, errno.ECONNRESET).refusal(row, Call.CONNECT, errno.EADDRNOTAVAIL)
        run.dial(row * 2 * MS, error=errno.EADDRNOTAVAIL)
    hop = hop_sample(2000, established=established, time_wait=time_wait)
    return run.sample(0, {}).sample(1100 * MS, {"balancer-backend": hop})


def test_the_balancer_lost_its_ports_to_time_wait(tmp_path: Path) -> None:
    found = verdict(balancer_without_ports(1962, 38), tmp_path)
    assert found["sentence"] == (
        "The balancer ran out of source ports toward 127.4.0.1:40123 after 1.0 s: all 2,000 tuples "
        "were in use (1,962 in TIME_WAIT, 38 established); closed connections hold them in "
        "TIME_WAIT on the connecting side; 25.0 % of connections failed (EADDRNOTAVAIL)."
    )
    assert found["code"] == "balancer-source-ports"
    assert found["hop"] == "balancer-backend"
    assert found["evidence"]["cause"] == "time-wait"
    assert found["evidence"]["failed"] == 250
    # 2000 tuples / (3 ms - 1 ms open + 500 ms)
    assert found["evidence"]["ceiling_per_s"] == pytest.approx(2000 / 0.502)
    assert len(found["remedies"]) == 3
    assert any("balancer.close: backend" in text for text in found["remedies"])


@pytest.mark.parametrize(
    ("seen", "words"),
    [
        (2000, "all 2,000 tuples were in use (2,000 in TIME_WAIT)"),
        (1990, "its 2,000 tuples were used up, 1,990 seen in use (1,990 in TIME_WAIT)"),
        (900, "900 of 2,000 tuples were seen in use (900 in TIME_WAIT)"),
    ],
)
def test_what_the_sampler_saw_is_told_as_it_saw_it(tmp_path: Path, seen: int, words: str) -> None:
    assert words in verdict(balancer_without_ports(seen, 0), tmp_path)["sentence"]


def test_the_balancers_ports_were_held_by_open_connections(tmp_path: Path) -> None:
    found = verdict(balancer_without_ports(0, 2000), tmp_path)
    assert (
        "all 2,000 tuples were in use (2,000 established); open connections hold them"
        in (found["sentence"])
    )
    assert found["evidence"]["cause"] == "held"
    assert "2,000 -> 4,000 connections at once" in " ".join(found["remedies"])
    assert not any("TIME_WAIT" in text for text in found["remedies"])


def test_a_wall_that_retries_hid_is_still_a_wall(tmp_path: Path) -> None:
    run = build(100).dial(S, error=errno.EADDRNOTAVAIL)
    found = verdict(run, tmp_path)
    assert found["code"] == "balancer-source-ports"
    assert "1 connects failed, retries saved every connection" in found["sentence"]


def test_a_wall_that_a_queue_hid_is_still_a_wall(tmp_path: Path) -> None:
    run = build(100, balancer={"on_no_port": "queue"}).dial(S, error=errno.EADDRNOTAVAIL)
    found = verdict(run, tmp_path)
    assert found["code"] == "balancer-source-ports"
    assert "1 connects failed, every connection waited until there was one" in found["sentence"]


def test_clients_ran_out_on_their_own_hop(tmp_path: Path) -> None:
    source = {"addresses": 1, "ports": "kernel"}
    run = build(100, balancer={"driver": "none"}, clients={"source": source})
    for row in range(90, 100):
        run.failed(row, Call.CONNECT, errno.EADDRNOTAVAIL)
    found = verdict(run, tmp_path)
    assert (found["code"], found["hop"]) == ("client-source-ports", "client-backend")
    assert found["sentence"].startswith("The clients ran out of source ports after 1.8 s:")
    assert "10.0 % of connections failed" in found["sentence"]


def test_permanent_ports_are_given_away_for_good(tmp_path: Path) -> None:
    source = {"addresses": 1, "ports": "permanent", "range": "50000-50089"}
    run = build(100, balancer={"driver": "none"}, clients={"source": source})
    for row in range(90, 100):
        run.failed(row, Call.BIND, Ending.NO_PORT)
    found = verdict(run, tmp_path)
    assert found["code"] == "client-source-ports"
    assert "each connection keeps a port of its own for good" in found["sentence"]


def test_early_bind_that_finds_no_port_is_a_bind_conflict(tmp_path: Path) -> None:
    run = build(
        100,
        balancer={"source": {"ports": "early-bind"}},
        backends=ELSEWHERE | {"count": 4},
        kernel={"port_range": "50000-50059", "time_wait": "60s"},
    )
    for row in range(60, 100):
        run.failed(row, Call.RECV, Ending.EOF).refusal(row, Call.BIND, errno.EADDRINUSE)
        run.dial(row * 20 * MS, error=errno.EADDRINUSE, call=Call.BIND)
    run.sample(S, {"balancer-backend": hop_sample(60, established=60, destination=None)})
    found = verdict(run, tmp_path)
    assert (found["code"], found["hop"]) == ("bind-conflict", "balancer-backend")
    assert "The balancer found no port to bind after 1.2 s: all 60 tuples" in found["sentence"]
    assert "a port serves one destination only" in found["sentence"]
    assert "60 -> 240 connections at once" in " ".join(found["remedies"])


def test_refusing_backends_are_named(tmp_path: Path) -> None:
    run = build(100, backends=ELSEWHERE | {"count": 4, "refusing": 1})
    run.lease(0, 20_001)
    for row in range(25):
        run.failed(row, Call.RECV, Ending.EOF).refusal(row, Call.CONNECT, errno.ECONNREFUSED)
    found = verdict(run, tmp_path)
    assert found["sentence"] == (
        "1 of 4 backends refused connections: nothing listens on 127.4.0.1:20001; "
        "25.0 % of connections failed (ECONNREFUSED)."
    )
    assert found["evidence"]["backends"] == [0]
    assert "6.25 % -> 1.56 %" in found["remedies"][1]  # (1/4)^2 with one retry, (1/4)^3 with two


def test_a_full_accept_queue(tmp_path: Path) -> None:
    run = build(100, kernel={"somaxconn": 8})
    for row in range(40):
        run.failed(row, Call.CONNECT, Ending.TIMEOUT)
    run.sample(S, {}, counters={"TcpExt.ListenOverflows": 1200, "TcpExt.ListenDrops": 1200})
    found = verdict(run, tmp_path)
    assert (found["code"], found["hop"]) == ("accept-queue", "client-balancer")
    assert found["sentence"] == (
        "The accept queue of the balancer overflowed: the kernel dropped 1,200 attempts to "
        "connect; 40.0 % of connections failed (TIMEOUT)."
    )
    assert "a burst of 8 -> 64 connections" in found["remedies"][0]


def test_drops_that_only_cost_time_are_told_when_there_are_many(tmp_path: Path) -> None:
    few = build(100).sample(S, {}, counters={"TcpExt.ListenDrops": 1})
    assert verdict(few, tmp_path)["code"] == "ok"
    many = build(100).sample(S, {}, counters={"TcpExt.ListenDrops": 2})
    found = verdict(many, tmp_path)
    assert found["code"] == "accept-queue"
    assert "no connection failed" in found["sentence"]


def test_a_balancer_without_descriptors_fills_its_queue_and_is_still_the_cause(
    tmp_path: Path,
) -> None:
    run = build(100, balancer={"descriptors": 64})
    for row in range(30):
        run.failed(row, Call.RECV, Ending.TIMEOUT)
    run.tick(S, "balancer", accept_errors={"EMFILE": 500})
    run.sample(S, {}, counters={"TcpExt.ListenOverflows": 300})
    found = verdict(run, tmp_path)
    assert found["code"] == "descriptors"
    assert found["sentence"] == (
        "The balancer ran out of file descriptors (EMFILE, limit 64 for each process): "
        "30.0 % of connections failed (TIMEOUT)."
    )
    assert found["evidence"]["role"] == "balancer"


def test_a_generator_without_descriptors(tmp_path: Path) -> None:
    run = build(100)
    for row in range(20):
        run.outcome(row, Outcome.NOT_SENT_DESCRIPTORS)
    found = verdict(run, tmp_path)
    assert found["sentence"] == (
        "The load generator ran out of file descriptors (EMFILE): "
        "20.0 % of the plan could not be sent."
    )
    assert found["hop"] is None


def test_a_relay_without_descriptors_toward_the_backend(tmp_path: Path) -> None:
    run = build(100).failed(0, Call.RECV, Ending.EOF).refusal(0, Call.SOCKET, errno.EMFILE)
    found = verdict(run, tmp_path)
    assert (found["code"], found["hop"]) == ("descriptors", "balancer-backend")
    assert found["sentence"].startswith("The balancer ran out of file descriptors")


def test_a_generator_that_could_not_keep_up(tmp_path: Path) -> None:
    run = build(100)
    for row in range(17):
        run.outcome(row, Outcome.NOT_SENT_GENERATOR)
    found = verdict(run, tmp_path)
    assert found["code"] == "generator"
    assert "it sent 83.0 % of the plan" in found["sentence"]
    assert "says nothing about the balancer" in found["sentence"]


def test_a_generator_that_sent_everything_much_too_late(tmp_path: Path) -> None:
    run = build(100)
    for row in range(95, 100):
        run.ok(row, lag=S)
    found = verdict(run, tmp_path)
    assert found["code"] == "generator"
    assert "it sent late" in found["sentence"]


@pytest.mark.parametrize(
    ("call", "error"),
    [
        (Call.RECV, errno.ECONNRESET),
        (Call.RECV, Ending.TIMEOUT),
        (Call.PICK, Ending.NO_BACKEND),
        (Call.CONNECT, errno.EHOSTUNREACH),
    ],
)
def test_anything_else_is_named_by_its_most_frequent_error(
    tmp_path: Path, call: Call, error: int
) -> None:
    run = build(100)
    for row in range(3):
        run.failed(row, call, error)
    run.failed(3, Call.SEND, errno.EPIPE)
    found = verdict(run, tmp_path)
    assert found["code"] == "failures"
    assert found["sentence"].startswith("4.0 % of connections failed, for no want of ports")
    assert "(3 of 4)" in found["sentence"]
    assert found["remedies"]


def test_the_cause_that_cost_most_is_the_verdict(tmp_path: Path) -> None:
    run = build(100)
    for row in range(10):
        run.failed(row, Call.RECV, Ending.EOF)
    for row in range(10, 21):
        run.failed(row, Call.RECV, Ending.EOF)
        run.refusal(row, Call.CONNECT, errno.ECONNREFUSED, hop=Hop.BALANCER_BACKEND)
    assert verdict(run, tmp_path)["code"] == "backend-refused"


def test_when_nothing_ran_out_the_headroom_is_told(tmp_path: Path) -> None:
    run = build(100, kernel={"port_range": "49152-65535", "time_wait": "500ms"})
    hop = hop_sample(16_384, established=12, time_wait=400)
    run.sample(0, {"balancer-backend": hop, "client-balancer": hop_sample(16_384, established=12)})
    found = verdict(run, tmp_path)
    assert found["code"] == "ok"
    assert found["sentence"] == (
        "Nothing ran out: 100 of 100 connections succeeded; at peak 412 of 16,384 tuples were in "
        "use on balancer-backend, 2.5 % (400 in TIME_WAIT, which may be reused after 500ms)."
    )
    # 16,384 tuples / (2 ms open + 500 ms)
    assert found["remedies"] == [
        (
            "by arithmetic the wall of balancer-backend stands at 32,637/s, "
            "and at 16,384 connections at once"
        )
    ]


def test_a_run_of_no_connections_is_ok_and_says_so(tmp_path: Path) -> None:
    found = verdict(RunBuilder().planned([]), tmp_path)
    assert found["sentence"].startswith("Nothing ran out: 0 of 0 connections succeeded")


def test_ports_held_by_what_one_side_only_has_closed(tmp_path: Path) -> None:
    source = {"addresses": 1, "ports": "kernel"}
    run = build(
        100,
        kernel={"port_range": "50000-50100", "reserved_ports": ["50010-50019"]},
        balancer={"driver": "none"},
        clients={"source": source},
    )
    for row in range(90, 100):
        run.failed(row, Call.CONNECT, errno.EADDRNOTAVAIL)
    hop = hop_sample(91, established=1)
    hop |= {"fin_wait": 90, "in_use": 91, "other": 90}
    hop["worst"] |= {"in_use": 91, "other": 90}
    found = verdict(run.sample(1800 * MS, {"client-backend": hop}), tmp_path)
    assert found["code"] == "client-source-ports"
    assert "connections that only one side has closed hold them (FIN_WAIT)" in found["sentence"]
    assert found["remedies"][0].endswith("90 connections wait for that")
    assert found["evidence"]["cause"] == "half-closed"
    assert found["evidence"]["range_remarks"] == [
        "10 of the ports 50000-50100 are reserved (kernel.reserved_ports)",
        "the range 50000-50100 has an odd number of ports",
    ]
