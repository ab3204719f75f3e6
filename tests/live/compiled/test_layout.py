"""Places that two sides write to must not meet."""

from __future__ import annotations

from simulator.live.compiled import layout
from simulator.live.pairs import UPSTREAM


def test_no_two_numbers_share_a_place() -> None:
    state = [layout.FLAGS, layout.PEER, layout.ACTIVE_NS, layout.BACKEND]
    state += [layout.ACCEPTED_NS, layout.ADDRESS]
    assert sorted(state) == list(range(len(state)))
    assert layout.STATE_COLUMNS * 8 == 64, "a cache line"
    board = [layout.UP, layout.DOWN, *range(layout.EVENTS, layout.ROWS + 1)]
    # struct timespec has two words, struct sockaddr_in two and its length one, epoll_event two.
    board += [layout.TIME, layout.TIME + 1, *range(layout.PEER_NAME, layout.PEER_NAME + 3)]
    board += [layout.NUMBER, layout.EVENT, layout.EVENT + 1]
    assert len(set(board)) == len(board)
    assert max(board) < layout.BOARD_PLACES
    assert layout.DOWN - layout.UP == UPSTREAM, "a side's flag is its way to its bytes"


def test_reasons_to_stop_are_told_apart() -> None:
    cases = [
        *(layout.THROUGH, layout.HELD, layout.FULL, layout.WAS_RESET, layout.WRITE_FAILED),
        *(layout.ODD_END, layout.FAILED, layout.ON_ITS_WAY, layout.REFUSED),
    ]
    assert len(set(cases)) == len(cases)
