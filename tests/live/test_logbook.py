"""Events and leases as the conductor writes them: times from the start, each lease twice."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from simulator.clock import monotonic_ns
from simulator.live.logbook import Logbook
from simulator.live.roster import Member
from simulator.live.settings import RoleSpec, SamplerRole
from simulator.records import NOT_YET

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

T0 = 1_000_000


class Lines:
    """A recorder that keeps what it is given."""

    def __init__(self) -> None:
        self.kept: list[tuple[str, dict[str, Any]]] = []

    def line(self, stream: str, record: Mapping[str, Any]) -> None:
        """Keep it."""
        self.kept.append((stream, dict(record)))

    def rows(self, stream: str, worker: int, data: bytes) -> None:
        """Nobody gives any."""
        raise AssertionError((stream, worker, data))


def backend(leases: list[list[Any]] | None) -> Member:
    # Only the kind and the words matter to the logbook.
    spec = RoleSpec(kind="backend", index=0, settings=SamplerRole(every_ns=1, hops=()))
    return Member(spec, ready=None if leases is None else {"leases": leases})


def test_before_the_start_is_known_an_event_has_no_time() -> None:
    lines = Lines()
    book = Logbook(lines)
    book.event("early", reason="why")
    before = monotonic_ns()
    book.t0_ns = T0
    book.event("late")
    book.event("told", t_ns=5)
    assert lines.kept[0] == ("events", {"t_ns": -1, "event": "early", "reason": "why"})
    assert before - T0 <= lines.kept[1][1]["t_ns"] <= monotonic_ns() - T0
    assert lines.kept[2] == ("events", {"t_ns": 5, "event": "told"})


def test_leases_are_written_as_they_begin_and_as_they_end() -> None:
    lines = Lines()
    book = Logbook(lines)
    book.t0_ns = T0
    closed = backend([[0, "127.4.0.1", 5000, T0 - 70, 2]])
    lost = backend([[1, "127.4.0.1", 5001, T0 - 60, 0]])
    unknown = backend([[2, "127.4.0.1", 5002, T0 - 50, 0]])
    never_ready = backend(None)
    everybody = [closed, lost, unknown, never_ready]
    book.begin_leases(everybody, "random")
    closed.done = {"released_ns": T0 + 900}
    lost.lost_ns = T0 + 400
    book.end_leases(everybody, "random")
    first = {
        "backend": 0,
        "address": "127.4.0.1",
        "port": 5000,
        "allocator": "random",
        "from_ns": -70,
        "to_ns": None,
        "lost_races": 2,
    }
    assert lines.kept[0] == ("leases", first)
    written = [(line["backend"], line["from_ns"], line["to_ns"]) for _, line in lines.kept]
    begun = [(0, -70, None), (1, -60, None), (2, -50, None)]
    assert written == [*begun, (0, -70, 900), (1, -60, 400)]


def test_a_foreign_balancers_configuration_is_kept_beside_the_records(tmp_path: Path) -> None:
    lines = Lines()
    told = {"driver": "haproxy", "version": "2.6", "pid": 7}
    Logbook(lines).driver(tmp_path, told, b"global\n")
    place = "balancer/haproxy.cfg"
    assert (tmp_path / place).read_bytes() == b"global\n"
    assert lines.kept == [("events", {"t_ns": NOT_YET, "event": "driver", **told, "config": place})]
