"""Peak EWMA: believes a peak at once, forgets it slowly, sends work where it is done fastest."""

from __future__ import annotations

import math
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.balancing.load import Load
from simulator.balancing.policies.peak_ewma import PeakEwma
from simulator.balancing.policies.random_choice import RandomChoice
from simulator.seeds import pure_random

MS = 1_000_000


def members(count: int) -> Load:
    load = Load()
    for backend in range(count):
        load.insert(backend)
    return load


@given(st.lists(st.integers(1, 10**10), min_size=1, max_size=30))
def test_it_is_never_below_the_latest_peak_at_the_moment_of_it(latencies: list[int]) -> None:
    policy = PeakEwma(pure_random(1), decay_ns=1000)
    for number, latency in enumerate(latencies):
        policy.observe(0, latency, number * 100)
        found = policy.latency_ns(0)
        assert found is not None
        assert found >= latency * 0.999
        assert found <= max(latencies) * 1.001


def test_an_old_peak_decays_by_e_in_one_decay_time() -> None:
    policy = PeakEwma(pure_random(1), decay_ns=1000)
    policy.observe(0, 80 * MS, 0)
    policy.observe(1, 1, 1000)  # time moves with whatever is observed
    assert policy.latency_ns(0) == pytest.approx(80 * MS / math.e)


def test_a_slow_backend_gets_little_and_one_never_measured_is_tried() -> None:
    policy, load = PeakEwma(pure_random(5)), members(4)
    for backend, latency in ((0, 1), (1, 1), (2, 100)):
        policy.observe(backend, latency * MS, 0)
    counts = Counter(policy.pick([0, 1, 2, 3], load, ()) for _ in range(1_200))
    assert counts[2] == 0, "it loses against every other one"
    # Costs nothing while idle, so it wins whenever it is drawn: 1/4 + 3/4 * 1/3.
    assert abs(counts[3] / 1_200 - 1 / 2) < 0.06
    load.opened(3)
    assert policy.pick([2, 3], load, ()) == 2, "its first answer is awaited"


def test_against_random_the_tail_is_shorter_when_a_backend_is_slow() -> None:
    def tail(policy: PeakEwma | RandomChoice) -> float:
        # Each connection takes its backend's time and queues behind those before it.
        load, free_at, waits = members(4), [0] * 4, []
        takes = (1 * MS, 1 * MS, 1 * MS, 8 * MS)
        running: list[tuple[int, int, int]] = []
        for number in range(4_000):
            now = number * MS // 2
            for done in [one for one in running if one[0] <= now]:
                running.remove(done)
                load.closed(done[1])
                if isinstance(policy, PeakEwma):
                    policy.observe(done[1], done[2], done[0])
            backend = policy.pick([0, 1, 2, 3], load, ())
            load.opened(backend)
            free_at[backend] = max(now, free_at[backend]) + takes[backend]
            running.append((free_at[backend], backend, free_at[backend] - now))
            waits.append(free_at[backend] - now)
        return sorted(waits)[int(len(waits) * 0.99)] / MS

    assert (
        tail(PeakEwma(pure_random(6), decay_ns=100 * MS)) < tail(RandomChoice(pure_random(6))) / 4
    )
