"""A quarantine keeps a port out of use for exactly its time, and a history can prove it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from simulator.ports.lease import Lease, overlaps
from simulator.ports.quarantine import Quarantine, reused_early
from simulator.seeds import pure_random

HERE, THERE = "127.4.0.1", "127.4.0.2"


def test_a_port_rests_from_the_leave_to_the_end_of_its_time() -> None:
    rest = Quarantine(100)
    rest.leaving(HERE, 5000)
    assert rest.resting(HERE, 10**9) == [5000]  # nobody has said yet when it was given back
    rest.given_back(HERE, 5000, 50)
    assert rest.resting(HERE, 149) == [5000]
    assert rest.resting(THERE, 149) == []
    assert rest.resting(HERE, 150) == []


def test_without_a_quarantine_nothing_rests() -> None:
    rest = Quarantine(0)
    rest.leaving(HERE, 5000)
    rest.given_back(HERE, 5000, 0)
    assert rest.resting(HERE, 0) == []


def lease(backend: int, port: int, from_ns: int, to_ns: int | None) -> Lease:
    return Lease(
        backend=backend, address=HERE, port=port, allocator="", from_ns=from_ns, to_ns=to_ns
    )


def test_a_history_shows_what_was_taken_too_early() -> None:
    first, second = lease(0, 7, 0, 100), lease(1, 7, 149, 300)
    assert reused_early([second, first], 50) == [(first, second)]
    assert reused_early([second, first], 49) == []
    assert reused_early([lease(0, 7, 0, None), lease(1, 7, 5, 9)], 0)


@given(st.integers(1, 40), st.integers(0, 2**32))
def test_who_asks_the_quarantine_first_never_takes_a_port_too_early(rest: int, seed: int) -> None:
    draw = pure_random(seed, "adversary")
    quarantine = Quarantine(rest)
    held: dict[int, tuple[int, int]] = {}  # port -> who, since when
    past: list[Lease] = []
    for now in range(300):
        port = draw.randrange(5)
        if port in held:
            who, since = held.pop(port)
            past.append(lease(who, port, since, now))
            quarantine.given_back(HERE, port, now)
        elif port not in quarantine.resting(HERE, now):
            held[port] = (now, now)
    past += [lease(who, port, since, None) for port, (who, since) in held.items()]
    assert reused_early(past, rest) == []
    assert overlaps(past) == []
