"""Where the numbers stand that the relay's machine code and its Python share.

All arrays are int64 but for bytes and events:

``state``   one row for each descriptor, a cache line long
``board``   numbers that both sides read and write
``ended``   one row for each pair that has ended: client, upstream, backend
``strange`` descriptors and their events, in pairs, for Python to see to
``orders``  one row for each client to be dialed for
``how``     how a dial takes its source port
"""

from __future__ import annotations

from typing import Final

# Columns of `state`.
FLAGS: Final = 0
PEER: Final = 1
ACTIVE_NS: Final = 2
BACKEND: Final = 3
ACCEPTED_NS: Final = 4
ADDRESS: Final = 5  # IPv4 address as a number, 16 bits of port
STATE_COLUMNS: Final = 8

# Places on the `board`.
UP: Final = 0  # bytes from clients, ever
DOWN: Final = 2  # bytes from backends, ever; as far from UP as UPSTREAM says
EVENTS: Final = 3  # taken from the kernel in this turn, below 0 when that is still to be done
AT: Final = 4  # the event, or the order, that is looked at
STRANGE: Final = 5  # pairs of `strange` in use
ENDED: Final = 6  # rows of `ended` in use
CLOSED: Final = 7  # whether those are closed
DUE: Final = 8  # whether the listener has clients
FD: Final = 9  # of the case that stopped a turn or a dial
WHAT: Final = 10  # its events, or its errno
BEGIN: Final = 11  # bytes of `data` that are left to be written: from here
END: Final = 12  # to here
ERROR: Final = 13  # errno that ended an accept
CALL: Final = 14  # call that failed in a dial
ENDED_NS: Final = 15  # when connect() returned
CALL_NS: Final = 16  # time inside bind() and connect()
ROWS: Final = 17  # rows of `dials` in use
TIME: Final = 18  # struct timespec
PEER_NAME: Final = 20  # struct sockaddr_in, and its length behind it
NUMBER: Final = 23  # an option's value
EVENT: Final = 24  # struct epoll_event
WRITTEN: Final = 26  # the order whose first bytes are looked at
HALF_CLOSE: Final = 27  # whether the end of one side is passed on, and the other side's awaited
BOARD_PLACES: Final = 28

# Columns of `orders`.
CLIENT: Final = 0
PICKED: Final = 1  # backend, or below 0: nothing to do
SOURCE: Final = 2  # index of the source address
PORT: Final = 3  # source port, 0 where the kernel picks
DIALED: Final = 4  # the upstream, set here; below 0 if there is none
CONNECTED_NS: Final = 5  # when connect() returned, set here
TAKEN_NS: Final = 6  # time inside bind() and connect(), set here
ORDER_COLUMNS: Final = 7

# Places of `how`.
BINDS: Final = 0  # whether bind() is called at all
LATE: Final = 1  # IP_BIND_ADDRESS_NO_PORT
RANGE: Final = 2  # IP_LOCAL_PORT_RANGE, 0 for none
HOW_PLACES: Final = 3

# Why a function returned. Of a turn:
THROUGH: Final = 0
HELD: Final = 1  # FD did not take all of `data`
FULL: Final = 2  # FD had more than `data` holds: bulk
WAS_RESET: Final = 3  # reading FD failed
WRITE_FAILED: Final = 4  # writing to FD failed
ODD_END: Final = 8  # client FD is at its end, and not plain
# Of a dial, besides HELD, WAS_RESET and ODD_END:
FAILED: Final = 5  # CALL failed with WHAT; there is no upstream
ON_ITS_WAY: Final = 6  # the connect is not through yet
REFUSED: Final = 7  # the connect that seemed on its way failed with WHAT

EVENT_WORDS: Final = 3  # struct epoll_event is packed: 4 bytes of events, 8 of data
ADDRESS_BYTES: Final = 16  # struct sockaddr_in
