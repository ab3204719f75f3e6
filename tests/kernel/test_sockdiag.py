"""The socket table against two other readings of the same kernel, and its bytes against C structs.

In one namespace the table must hold the same sockets as `ss` and as /proc/net/tcp.
"""

from __future__ import annotations

import errno
import platform
import shutil
import socket
import struct
import subprocess
from collections import Counter
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.kernel.sockdiag import (
    ALL_STATES,
    BOUND,
    ESTABLISHED,
    LISTEN,
    STATE_NAMES,
    SYN_SENT,
    TIME_WAIT,
    WITH_BOUND,
    SocketDiag,
    SocketTable,
    parse_datagram,
)
from tests.support.namespace import in_namespace

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np

# --- bytes, made by hand from linux/netlink.h and linux/inet_diag.h -----------------------------

DONE, ERROR, BY_FAMILY = 3, 2, 20
DUMP_INTR = 0x10
Row = tuple[int, int, int, int, int, int]  # state, source, sport, destination, dport, expires


def header(size: int, kind: int, flags: int = 0) -> bytes:
    """The 16 bytes of struct nlmsghdr."""
    return struct.pack("=IHHII", 16 + size, kind, flags, 1, 4321)


def diag_message(row: Row, extra: int = 0, flags: int = 0) -> bytes:
    """One nlmsghdr with struct inet_diag_msg and ``extra`` bytes of attributes, padded to 4."""
    state, source, sport, destination, dport, expires = row
    identity = struct.pack(">HH4I4I", sport, dport, source, 0, 0, 0, destination, 0, 0, 0)
    body = struct.pack("=BBBB", socket.AF_INET, state, 3, 0) + identity
    body += struct.pack("=III", 0, 7, 8)  # interface, cookie
    body += struct.pack("=IIIII", expires, 5, 6, 1000, 99)  # expires, queues, uid, inode
    assert len(body) == 72, "sizeof(struct inet_diag_msg)"
    body += bytes(extra)
    return header(len(body), BY_FAMILY, flags) + body + bytes(-len(body) % 4)


def done_message() -> bytes:
    return header(4, DONE) + struct.pack("=i", 0)


addresses, ports = st.integers(0, 2**32 - 1), st.integers(0, 65535)
rows = st.tuples(
    st.sampled_from(sorted(STATE_NAMES)), addresses, ports, addresses, ports, addresses
)


def rows_of(heads: np.ndarray[tuple[int], np.dtype[np.void]]) -> list[Row]:
    names = ("state", "source", "sport", "destination", "dport", "expires")
    columns = [heads[name].tolist() for name in names]
    return list(zip(*columns, strict=True))


@given(wanted=st.lists(rows, min_size=1, max_size=40), extra=st.integers(0, 40))
def test_messages_of_one_length_are_read_field_by_field(wanted: list[Row], extra: int) -> None:
    heads, done, whole = parse_datagram(b"".join(diag_message(row, extra) for row in wanted))
    assert rows_of(heads) == wanted
    assert not done
    assert whole


@given(
    wanted=st.lists(st.tuples(rows, st.integers(0, 40)), min_size=1, max_size=40),
    ends=st.booleans(),
)
def test_messages_of_mixed_lengths_are_walked_one_by_one(
    wanted: list[tuple[Row, int]], ends: bool
) -> None:
    datagram = b"".join(diag_message(row, extra) for row, extra in wanted)
    heads, done, _ = parse_datagram(datagram + done_message() * ends)
    assert rows_of(heads) == [row for row, _ in wanted]
    assert done == ends


def test_the_end_alone_holds_no_socket() -> None:
    heads, done, whole = parse_datagram(done_message())
    assert (len(heads), done, whole) == (0, True, True)


@given(before=st.integers(0, 5), after=st.integers(0, 5))
def test_a_table_that_changed_under_the_dump_is_not_whole(before: int, after: int) -> None:
    row = (1, 2, 3, 4, 5, 6)
    messages = [diag_message(row)] * before + [diag_message(row, flags=DUMP_INTR)]
    _, _, whole = parse_datagram(b"".join(messages + [diag_message(row)] * after))
    assert not whole


def test_the_kernels_refusal_is_an_error_with_its_errno() -> None:
    refusal = header(20, ERROR) + struct.pack("=i", -errno.EPERM) + bytes(16)
    with pytest.raises(OSError, match="sock_diag") as caught:
        parse_datagram(refusal)
    assert caught.value.errno == errno.EPERM


# --- the real table ------------------------------------------------------------------------------

#: Sockets that are only bound are in the table since Linux 6.8.
SHOWS_BOUND = tuple(int(part) for part in platform.release().split(".")[:2]) >= (6, 8)

Socket = tuple[str, int, int, int, int]  # state, source, sport, destination, dport

SS_NAMES = {
    "ESTAB": "established",
    "SYN-SENT": "syn-sent",
    "SYN-RECV": "syn-received",
    "UNCONN": "close",
}


def number(text: str) -> int:
    return int.from_bytes(socket.inet_aton(text), "big")


def sockets_of(table: SocketTable) -> Counter[Socket]:
    columns = (table.source, table.sport, table.destination, table.dport)
    states = [STATE_NAMES[state] for state in table.state.tolist()]
    return Counter(zip(states, *(column.tolist() for column in columns), strict=True))


def by_diag() -> Counter[Socket]:
    diag = SocketDiag()
    try:
        return sockets_of(diag.dump())
    finally:
        diag.close()


def by_procfs() -> Counter[Socket]:
    found: Counter[Socket] = Counter()
    for line in Path("/proc/self/net/tcp").read_text().splitlines()[1:]:
        _, local, remote, state = line.split()[:4]
        ends = []
        for end in (local, remote):
            address, port = end.split(":")
            ends += [int.from_bytes(bytes.fromhex(address)[::-1], "big"), int(port, 16)]
        found[(STATE_NAMES[int(state, 16)], ends[0], ends[1], ends[2], ends[3])] += 1
    return found


def by_ss() -> Counter[Socket]:
    command = [shutil.which("ss") or "ss", "-H", "-4", "-t", "-a", "-n"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=20)
    found: Counter[Socket] = Counter()
    for line in done.stdout.splitlines():
        state, _, _, local, remote = line.split()[:5]
        ends = []
        for end in (local, remote):
            address, _, port = end.rpartition(":")
            ends += [number(address), 0 if port == "*" else int(port)]
        name = SS_NAMES.get(state, state.lower())
        found[(name, ends[0], ends[1], ends[2], ends[3])] += 1
    return found


def close_in_order(client: socket.socket, accepted: socket.socket) -> None:
    """Client first, so that it is the client's tuple that stays in TIME_WAIT."""
    client.shutdown(socket.SHUT_WR)
    assert accepted.recv(1) == b""
    accepted.close()
    assert client.recv(1) == b""
    client.close()


def connected(
    stack: ExitStack, server: socket.socket, source: str
) -> tuple[socket.socket, socket.socket]:
    client = stack.enter_context(socket.socket())
    client.bind((source, 0))
    client.connect(server.getsockname())
    return client, stack.enter_context(server.accept()[0])


def populate(stack: ExitStack, scale: int) -> dict[str, int]:
    """Sockets in every state that can be held still; how many of each there must be."""
    servers = []
    for address in ("127.4.0.1", "127.4.0.2"):
        server = stack.enter_context(socket.socket())
        server.bind((address, 0))
        server.listen(128)
        servers.append(server)
    for at in range(2 * scale):
        connected(stack, servers[at % 2], "127.1.0.1")
    for at in range(scale):
        close_in_order(*connected(stack, servers[at % 2], "127.1.0.2"))
    for _ in range(3):
        client, accepted = connected(stack, servers[0], "127.1.0.3")
        client.shutdown(socket.SHUT_WR)
        assert accepted.recv(1) == b""
        accepted.send(b"x")  # acknowledges the FIN at once, which would else take up to 40 ms
        assert client.recv(1) == b"x"
    full = stack.enter_context(socket.socket())
    full.bind(("127.4.0.3", 0))
    full.listen(0)
    for _ in range(3):  # the first fits the queue of one, the others knock on and on
        client = stack.enter_context(socket.socket())
        client.setblocking(False)
        client.connect_ex(full.getsockname())
    return {
        "listen": 3,
        "established": 4 * scale + 2,
        "time-wait": scale,
        "fin-wait-2": 3,
        "close-wait": 3,
        "syn-sent": 2,
    }


def table_and_others(scale: int, readers: tuple[str, ...]) -> dict[str, Counter[Socket]]:
    known: dict[str, Callable[[], Counter[Socket]]] = {
        "diag": by_diag,
        "procfs": by_procfs,
        "ss": by_ss,
    }
    with ExitStack() as stack:
        wanted = populate(stack, scale)
        found = {name: known[name]() for name in readers}
    states: Counter[str] = Counter()
    for (state, *_), count in found["diag"].items():
        states[state] += count
    assert states == Counter(wanted)
    return found


@pytest.mark.namespace
@pytest.mark.parametrize("scale", [1, 400], ids=["few", "many"])
def test_the_table_is_that_of_procfs(scale: int) -> None:
    found = in_namespace(table_and_others, scale, ("diag", "procfs"))
    assert found["diag"] == found["procfs"]


@pytest.mark.namespace
@pytest.mark.skipif(shutil.which("ss") is None, reason="needs ss of iproute2")
def test_the_table_is_that_of_ss() -> None:
    found = in_namespace(table_and_others, 20, ("diag", "ss"))
    assert found["diag"] == found["ss"]


@pytest.mark.namespace
def test_a_namespace_begins_with_an_empty_table() -> None:
    assert in_namespace(by_diag) == Counter()


def chosen_states() -> dict[int, Counter[str]]:
    with ExitStack() as stack:
        populate(stack, 2)
        bound = stack.enter_context(socket.socket())
        bound.bind(("127.1.0.9", 0))
        diag = SocketDiag()
        found = {}
        for mask in (1 << ESTABLISHED, 1 << LISTEN | 1 << SYN_SENT, ALL_STATES, WITH_BOUND):
            table = diag.dump(mask)
            assert table.complete
            assert len(table) == len(table.sport)
            found[mask] = Counter(STATE_NAMES[state] for state in table.state.tolist())
        diag.close()
    return found


@pytest.mark.namespace
def test_only_the_states_asked_for_are_told() -> None:
    found = in_namespace(chosen_states)
    assert set(found[1 << ESTABLISHED]) == {"established"}
    assert set(found[1 << LISTEN | 1 << SYN_SENT]) == {"listen", "syn-sent"}
    assert STATE_NAMES[BOUND] not in found[ALL_STATES]
    assert found[WITH_BOUND] - found[ALL_STATES] == Counter({"bound": 1} if SHOWS_BOUND else {})


def age_of_time_wait() -> list[int]:
    with ExitStack() as stack:
        server = stack.enter_context(socket.create_server(("127.4.0.1", 0)))
        for _ in range(5):
            close_in_order(*connected(stack, server, "127.1.0.1"))
        diag = SocketDiag()
        table = diag.dump(1 << TIME_WAIT)
        diag.close()
    ages: list[int] = table.timer_ms.tolist()
    return ages


@pytest.mark.namespace
def test_a_tuple_just_closed_waits_the_kernels_sixty_seconds() -> None:
    ages = in_namespace(age_of_time_wait)
    assert len(ages) == 5
    assert all(59_000 < age <= 60_000 for age in ages), ages


def read_toward() -> dict[str, list[tuple[int, int, int]]]:
    """What a filtered dump gives: (state, upper half of source, upper half of destination)."""
    with ExitStack() as stack:
        near_ends = []
        for far in ("127.4.0.1", "127.2.0.1", "127.9.0.1"):
            listener = stack.enter_context(socket.create_server((far, 0)))
            near = stack.enter_context(socket.socket())
            near.bind(("127.1.0.1", 0))
            near.connect(listener.getsockname())
            near_ends.append((near, stack.enter_context(listener.accept()[0])))
        half, _ = near_ends[2]
        half.shutdown(socket.SHUT_WR)  # toward 127.9: FIN_WAIT_2 here, CLOSE_WAIT there
        diag = SocketDiag()
        try:
            found = {}
            for name, prefixes in {
                "all": (),
                "one": (127 << 8 | 4,),
                "two": (127 << 8 | 4, 127 << 8 | 2),
                "three": (127 << 8 | 7, 127 << 8 | 4, 127 << 8 | 2),
                "nobody": (127 << 8 | 8,),
            }.items():
                table = diag.dump(ALL_STATES, prefixes)
                table.state[table.state == 4] = 5  # the FIN's acknowledgement may be delayed
                rows = zip(table.state, table.source >> 16, table.destination >> 16, strict=True)
                found[name] = sorted((int(a), int(b), int(c)) for a, b, c in rows)
            return found
        finally:
            diag.close()


@pytest.mark.namespace
def test_of_established_sockets_only_those_toward_a_prefix_are_read() -> None:
    found = in_namespace(read_toward)
    one, two, four, nine = (127 << 8 | part for part in (1, 2, 4, 9))
    others = [(8, nine, one), (5, one, nine), *((LISTEN, end, 0) for end in (two, four, nine))]
    toward_four, toward_two = (ESTABLISHED, one, four), (ESTABLISHED, one, two)
    back = [(ESTABLISHED, four, one), (ESTABLISHED, two, one)]
    assert found["all"] == sorted([*others, toward_four, toward_two, *back])
    assert found["one"] == sorted([*others, toward_four])
    assert found["two"] == found["three"] == sorted([*others, toward_four, toward_two])
    assert found["nobody"] == sorted(others)
