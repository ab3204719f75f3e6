"""What a resolver believes: the right port, ID, server and question, and nothing less."""

from __future__ import annotations

from collections import Counter, deque

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from simulator.dns.guesses import Guesses
from simulator.dns.message import Message, encode, with_ident
from simulator.dns.zone import FORGED_ADDRESS, FORGED_BYTES, name_of, true_addresses
from simulator.live.balancers.asking import AllOpen, Ask, OpenAsks
from simulator.seeds import pure_random
from simulator.theory.forgery import spoofed_once

SERVER = ("127.4.0.1", 50_000)
NAME = name_of(0)
TRUE = encode(Message(ident=0, name=NAME, is_answer=True, addresses=true_addresses(0, 0)))
LIE = encode(Message(ident=0, name=NAME, is_answer=True, addresses=(FORGED_ADDRESS,)))


def asks(slots: int, bits: int, choice: str = "random") -> OpenAsks:
    return OpenAsks(slots, bits, choice, pure_random(1, "asks"))


def ask() -> Ask:
    return Ask(client=("127.1.0.1", 2000), data=b"", name=NAME, accepted_ns=0, server=SERVER)


def test_the_right_answer_closes_its_question_once() -> None:
    open_asks, one = asks(4, 16), ask()
    slot, ident = open_asks.begin(one)
    found = open_asks.answered(slot, with_ident(TRUE, ident), SERVER)
    assert found is not None
    assert found[0] is one
    assert found[1].addresses == true_addresses(0, 0)
    assert len(open_asks) == 0
    assert open_asks.answered(slot, with_ident(TRUE, ident), SERVER) is None
    assert open_asks.refused == {"id": 1}


@pytest.mark.parametrize(
    ("answer", "port", "ident", "peer", "why"),
    [
        (TRUE, 1, 0, SERVER, "id"),
        (TRUE, 0, 1, SERVER, "id"),
        (TRUE, 0, 1 << 10, SERVER, "id"),  # an ID that this resolver never gives
        (TRUE, 0, 0, (SERVER[0], SERVER[1] + 1), "address"),
        (TRUE, 0, 0, ("127.4.0.2", SERVER[1]), "address"),
        (TRUE[:11], 0, 0, SERVER, "malformed"),
        (TRUE[:-1], 0, 0, SERVER, "malformed"),
        (encode(Message(ident=0, name=NAME)), 0, 0, SERVER, "malformed"),  # a question
        (encode(Message(ident=0, name=name_of(1), is_answer=True)), 0, 0, SERVER, "question"),
    ],
)
def test_what_is_wrong_is_not_believed_and_counted(
    answer: bytes, port: int, ident: int, peer: tuple[str, int], why: str
) -> None:
    open_asks, one = asks(2, 10), ask()
    slot, right = open_asks.begin(one)
    data = with_ident(answer, right ^ ident)
    assert open_asks.answered(slot ^ port, data, peer) is None
    assert open_asks.refused == {why: 1}
    assert len(open_asks) == 1
    assert open_asks.give_up(one, one.key)
    assert not open_asks.give_up(one, one.key)


@given(st.binary(max_size=80), st.binary(max_size=4), st.integers(0, 1))
def test_whatever_comes_is_refused_and_counted_once(data: bytes, tail: bytes, slot: int) -> None:
    """Bytes of strangers, some under the right ID: none is an answer, and nothing breaks."""
    open_asks, one = asks(2, 4), ask()
    right, ident = open_asks.begin(one)
    heads = (data, ident.to_bytes(2, "big") + b"\x81\x80" + data, with_ident(TRUE, ident) + tail)
    for hostile in heads:
        if hostile != with_ident(TRUE, ident):
            assert open_asks.answered(slot, hostile + FORGED_BYTES, SERVER) is None
    assert sum(open_asks.refused.values()) == open_asks.forged
    assert len(open_asks) == 1
    assert open_asks.answered(right, with_ident(TRUE, ident), SERVER) is not None


@given(st.integers(1, 5), st.integers(1, 5))
def test_every_port_and_id_can_be_open_and_no_more(slots: int, bits: int) -> None:
    open_asks = asks(slots, bits)
    capacity = slots << bits
    found = {open_asks.begin(ask()) for _ in range(capacity)}
    assert found == {(slot, ident) for slot in range(slots) for ident in range(1 << bits)}
    with pytest.raises(AllOpen):
        open_asks.begin(ask())


def test_sockets_and_ids_are_drawn_evenly_or_in_turn() -> None:
    open_asks = asks(8, 3)
    counts: Counter[tuple[int, int]] = Counter()
    for _ in range(6_400):
        one = ask()
        counts[open_asks.begin(one)] += 1
        open_asks.give_up(one, one.key)
    assert len(counts) == 64
    assert stats.chisquare(list(counts.values())).pvalue > 0.001
    in_turn = asks(3, 4, "in-turn")
    assert [in_turn.begin(ask())[0] for _ in range(7)] == [1, 2, 0, 1, 2, 0, 1]


@pytest.mark.parametrize("outstanding", [1, 5])
def test_forgeries_are_believed_as_often_as_the_formula_says(outstanding: int) -> None:
    """Questions that wait for 16 guesses each, among 64 combinations."""
    slots, bits, packets = 4, 4, 16
    open_asks = asks(slots, bits)
    walk = Guesses(1, slots, 1 << bits, pure_random(2, "walk"))
    waiting: deque[tuple[Ask, tuple[int, int]]] = deque()
    asked = 0
    for tick in range(20_000):
        if tick % packets == 0:
            for _ in range(outstanding):
                one = ask()
                waiting.append((one, open_asks.begin(one)))
                asked += 1
        guess = walk.draw()
        open_asks.answered(guess.port, with_ident(LIE, guess.ident), SERVER)
        if tick % packets == packets - 1:
            while waiting:
                one, (slot, ident) = waiting.popleft()
                if one.key in open_asks:
                    assert open_asks.answered(slot, with_ident(TRUE, ident), SERVER)
    assert open_asks.forged == 20_000
    assert open_asks.windows == asked - open_asks.forged_believed
    assert open_asks.forged_within == packets * open_asks.windows
    odds = spoofed_once(slots, packets, servers=1, ids=1 << bits)
    spread = (asked * odds * (1 - odds)) ** 0.5 * outstanding**0.5
    assert open_asks.forged_believed == pytest.approx(asked * odds, abs=4 * spread)
