"""Service in the model: times, slots in turn, slow and failing backends, silence."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from simulator.model.agenda import NEVER, Agenda
from simulator.model.backends import DROPPED, REFUSED, SERVED, UNANSWERED, Backends
from simulator.model.connection import GONE, Connection
from simulator.model.tuples import EachOnce, Group
from tests.support.modelled import modelled
from tests.support.scenarios import small

if TYPE_CHECKING:
    from pathlib import Path

    from simulator.scenario.schema import Scenario

MS = 1_000_000


class Told:
    """Backends on their agenda, and what was said of their connections."""

    def __init__(self, scenario: Scenario) -> None:
        self.agenda = Agenda()
        self.backends = Backends(scenario, self.agenda)
        self.answers: list[tuple[int, int]] = []
        self.resets: list[int] = []
        self.chunks: list[tuple[int, int]] = []
        self.backends.on_answer = lambda one, t_ns: self.answers.append((one.row, t_ns))
        self.backends.on_chunk = lambda one, until: self.chunks.append((one.row, until))
        self.silenced: list[tuple[int, int]] = []
        self.backends.on_reset = self._reset
        self.backends.on_silence = lambda one, t_ns: self.silenced.append((one.row, t_ns))
        for backend in self.backends.all:
            self.backends.listens(backend, 20_000 + backend.number)

    def _reset(self, one: Connection, _: int) -> None:
        self.resets.append(one.row)
        one.state = GONE
        self.backends.ended(one)

    def connect(self, row: int, backend: int = 0) -> tuple[Connection, int]:
        """A connection of its own."""
        one = Connection(row, 0, Group(0, 0, EachOnce([1]), 0), 1, 0)
        return one, self.backends.connect(self.backends.all[backend], one)

    def run(self) -> None:
        """To the end."""
        while self.agenda.next_ns < NEVER:
            self.agenda.step()


def test_a_request_is_answered_after_its_service_time() -> None:
    told = Told(small())
    one, met = told.connect(0)
    assert met == SERVED
    assert told.backends.request(one, 5 * MS, 0) == 5 * MS
    assert told.backends.request(told.connect(1)[0], 0, 0) == 0  # at once, and not told
    told.run()
    assert told.answers == [(0, 5 * MS)]


def test_slots_are_given_in_order_of_arrival() -> None:
    told = Told(small("backends.concurrency=2"))
    for row in range(5):
        told.backends.request(told.connect(row)[0], 10 * MS, 0)
    told.run()
    assert told.answers == [(0, 10 * MS), (1, 10 * MS), (2, 20 * MS), (3, 20 * MS), (4, 30 * MS)]


def test_who_gives_up_while_waiting_is_passed_over_and_who_is_served_holds_the_slot() -> None:
    told = Told(small("backends.concurrency=1"))
    ones = [told.connect(row)[0] for row in range(3)]
    for one in ones:
        told.backends.request(one, 10 * MS, 0)
    told.backends.ended(ones[0])  # in service: nobody hears the answer, the slot is busy
    told.backends.ended(ones[1])
    told.run()
    assert told.answers == [(2, 20 * MS)]
    assert told.backends.all[0].busy == 0


def test_a_crash_begins_all_slots_anew() -> None:
    told = Told(small("backends.concurrency=1"))
    first, second = (told.connect(row)[0] for row in range(2))
    told.backends.request(first, 10 * MS, 0)
    told.backends.request(second, 10 * MS, 0)
    told.backends.silence(told.backends.all[0])
    told.backends.cut(told.backends.all[0])
    assert told.resets == [0, 1]
    third, _ = told.connect(2)
    assert told.backends.request(third, 30 * MS, 0) == 30 * MS
    told.run()
    assert told.answers == [(2, 30 * MS)]
    assert told.backends.all[0].busy == 0


def test_slow_backends_are_the_last_and_take_longer() -> None:
    told = Told(small("backends.count=2", "backends.faults={slow: 1, slow_factor: 3.0}"))
    for backend in range(2):
        told.backends.request(told.connect(backend, backend)[0], 10 * MS, 0)
    told.run()
    assert told.answers == [(0, 10 * MS), (1, 30 * MS)]


@pytest.mark.parametrize("rate", [0.25, 1.0])
def test_failing_requests_are_reset_after_their_service_time(rate: float) -> None:
    told = Told(small(f"backends.faults={{error_rate: {rate}}}"))
    for row in range(400):
        told.backends.request(told.connect(row)[0], MS, 0)
    told.run()
    assert told.agenda.now_ns == MS
    assert len(told.resets) + len(told.answers) == 400
    assert len(told.resets) == pytest.approx(400 * rate, abs=4 * 400**0.5 / 2)


def test_nobody_and_who_does_not_listen_refuse() -> None:
    told = Told(small("backends.refusing=1"))
    assert told.connect(0)[1] == REFUSED
    one = Connection(1, 0, Group(0, 0, EachOnce([1]), 0), 1, 0)
    assert told.backends.connect(None, one) == REFUSED


def test_who_hangs_is_connected_to_until_the_accept_queue_is_full() -> None:
    told = Told(small("backends.faults={hanging: 1}", "backends.backlog=2"))
    met = [told.connect(row)[1] for row in range(4)]
    # listen(2) admits one more than it says.
    assert met == [UNANSWERED, UNANSWERED, UNANSWERED, DROPPED]
    one, _ = told.connect(9)
    assert told.backends.all[0].queued == 3
    assert one.server is None


def test_who_falls_silent_tells_of_each_answer_that_will_not_come() -> None:
    told = Told(small("backends.stream={chunk: 64B, every: 20ms}"))
    asked, paced, _rests = [told.connect(row)[0] for row in range(3)]
    told.backends.request(asked, 100 * MS, 0)
    told.backends.request(paced, 0, 0, 4)
    told.agenda.at(50 * MS, lambda *_: told.backends.silence(told.backends.all[0]), None, None)
    told.agenda.step()  # the first chunk; those to come were told ahead, to 80 ms
    paced.active_ns = told.chunks[0][1]
    told.run()
    assert told.answers == []
    assert told.silenced == [(asked.row, 0), (paced.row, 40 * MS)]


def test_a_bounded_line_turns_away_who_finds_no_place() -> None:
    told = Told(small("backends={concurrency: 1, queue: 2}"))
    ones = [told.connect(row)[0] for row in range(4)]
    for one in ones:
        told.backends.request(one, 5 * MS, 0)
    assert told.resets == [3]
    assert told.backends.counts["turned_away"] == 1
    told.run()
    assert told.answers == [(0, 5 * MS), (1, 10 * MS), (2, 15 * MS)]


def test_a_bounded_line_loses_what_m_m_c_k_loses(tmp_path: Path) -> None:
    slots, room, rate, service_s = 4, 6, 100.0, 0.05
    text = f"""
title: a line
kernel: {{port_range: 50000-59999, time_wait: 500ms}}
backends: {{ports: random, range: 20000-29999, concurrency: {slots}, queue: {room},
            service_time: {{exponential: {round(service_s * 1000)}ms}}}}
balancer: {{close: reset, retries: 0}}
traffic:
  - {{name: only, for: 100s, arrivals: {{poisson: {rate}/s}}}}
sampling: {{every: 5s}}
"""
    summary, _ = modelled(text, tmp_path)
    load = rate * service_s
    places = np.arange(slots + room + 1)
    served = np.minimum(places, slots)
    weight = np.cumprod(np.concatenate([[1.0], load / served[1:]]))  # birth and death
    lost = weight[-1] / weight.sum()
    attempts = summary["attempts"]
    assert attempts["failed"] / attempts["sent"] == pytest.approx(lost, rel=0.12)
    assert attempts["errors"] == {"client-balancer/recv/ECONNRESET": attempts["failed"]}


def test_an_answer_in_chunks_begins_after_its_service_and_ends_after_the_last() -> None:
    told = Told(small("backends.stream={chunk: 64B, every: 20ms}"))
    assert told.backends.request(told.connect(0)[0], 5 * MS, 0, chunks=3) == 65 * MS
    assert told.backends.request(told.connect(1)[0], 5 * MS, 0) == 5 * MS
    told.run()
    assert told.answers == [(1, 5 * MS), (0, 65 * MS)]
    assert told.chunks == [(0, 65 * MS)]


def test_a_stream_holds_its_slot_until_its_end_or_the_chunk_after_its_client_left() -> None:
    told = Told(small("backends={stream: {chunk: 64B, every: 20ms}, concurrency: 1}"))
    ones = [told.connect(row)[0] for row in range(3)]
    for one in ones:
        told.backends.request(one, 5 * MS, 0, chunks=3)
    told.agenda.at(80 * MS, lambda one, _: told.backends.ended(one), ones[1], None)
    told.run()
    # The first until 65 ms; the second begins at 70 and 90 ms, and by then nobody takes it.
    assert told.answers == [(0, 65 * MS), (2, 155 * MS)]


def test_http_says_what_others_cut() -> None:
    told = Told(small("backends={kind: http, concurrency: 1, queue: 0}"))
    one, other = (told.connect(row)[0] for row in range(2))
    assert told.backends.request(one, 5 * MS, 0) == 5 * MS
    assert told.backends.request(other, 5 * MS, 1 * MS) == 1 * MS
    told.run()
    assert (told.resets, one.status, other.status) == ([], 0, 503)
    failing = Told(small("backends={kind: http, faults: {error_rate: 1.0}}"))
    third = failing.connect(0)[0]
    assert failing.backends.request(third, 5 * MS, 0) == 5 * MS
    failing.run()
    assert (failing.answers, failing.resets, third.status) == ([(0, 5 * MS)], [], 500)
