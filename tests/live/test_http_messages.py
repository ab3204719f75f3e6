"""The reader of answers against Python's own, however the bytes are cut and whoever sent them."""

from __future__ import annotations

import io
from http.client import HTTPResponse
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.live.http_messages import (
    MAX_BODY_BYTES,
    MAX_CHUNK_LINE_BYTES,
    MAX_HEAD_BYTES,
    MAX_INTERIM,
    AnswerReader,
    HttpProtocolError,
    http_request,
    parse_head,
)

if TYPE_CHECKING:
    import socket

OK = b"HTTP/1.1 200 OK\r\n"


class _Stream:
    """What http.client wants of a socket."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def makefile(self, _mode: str) -> io.BytesIO:
        return io.BytesIO(self._data)


def oracle(data: bytes) -> tuple[int, int]:
    """Status and length of the body, as http.client reads them."""
    stream: socket.socket = _Stream(data)  # type: ignore[assignment]
    response = HTTPResponse(stream)
    response.begin()
    return response.status, len(response.read())


def read(data: bytes, cuts: list[int]) -> AnswerReader | None:
    """The reader after the pieces; None when the answer was not whole at the end, or before."""
    reader = AnswerReader()
    places = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})
    pieces = [data[a:b] for a, b in pairwise(places)]
    whole = [reader.feed(piece) for piece in pieces]
    return reader if whole[-1] and not any(whole[:-1]) else None


names = st.sampled_from(["Server", "Date", "X-Backend", "Set-Cookie", "Connection"])
values = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=30)
fields = st.lists(st.tuples(names, values), max_size=6)
statuses = st.sampled_from([200, 201, 206, 400, 404, 500, 502, 503])
chunks = st.lists(st.binary(min_size=1, max_size=300), max_size=6)


def head(status: int, some: list[tuple[str, str]], last: str) -> bytes:
    lines = [f"HTTP/1.1 {status} Reason", *(f"{name}: {value}" for name, value in some), last]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


@st.composite
def answers(draw: st.DrawFn) -> bytes:
    """Whole answers with a length or in chunks, some after interim ones."""
    status, some = draw(statuses), draw(fields)
    before = b"HTTP/1.1 100 Continue\r\n\r\n" * draw(st.integers(0, 2))
    if draw(st.booleans()):
        body = draw(st.binary(max_size=500))
        return before + head(status, some, f"Content-Length: {len(body)}") + body
    parts = [b"%x%s\r\n%s\r\n" % (len(one), b";a=b", one) for one in draw(chunks)]
    trailers = draw(st.sampled_from([b"", b"X-Sum: 5\r\n"]))
    coded = b"".join(parts) + b"0\r\n" + trailers + b"\r\n"
    return before + head(status, some, "transfer-encoding: Chunked") + coded


@given(data=answers(), cuts=st.lists(st.integers(0, 10_000), max_size=8))
def test_an_answer_is_read_alike_however_it_is_cut(data: bytes, cuts: list[int]) -> None:
    reader = read(data, cuts)
    assert reader is not None
    assert (reader.status, reader.body_bytes) == oracle(data)


@given(data=answers())
def test_an_answer_is_read_byte_by_byte(data: bytes) -> None:
    assert read(data, list(range(len(data)))) is not None


@given(data=answers(), more=st.binary(min_size=1, max_size=20))
def test_more_than_the_answer_is_refused(data: bytes, more: bytes) -> None:
    with pytest.raises(HttpProtocolError):
        AnswerReader().feed(data + more)


@given(data=st.binary(min_size=1, max_size=400), cuts=st.lists(st.integers(0, 400), max_size=4))
def test_whatever_comes_is_read_or_refused(data: bytes, cuts: list[int]) -> None:
    for begin in (b"", OK, OK + b"Transfer-Encoding: chunked\r\n\r\n"):
        try:
            read(begin + data, cuts)
        except HttpProtocolError:
            continue


def test_one_reader_reads_the_answers_of_a_connection_one_after_the_other() -> None:
    reader = AnswerReader()
    for size in (5, 0, 70_000):
        reader.expect()
        assert reader.feed(OK + b"Content-Length: %d\r\n\r\n" % size + bytes(size))
        assert reader.body_bytes == size


def test_a_body_without_a_length_ends_with_its_connection() -> None:
    reader = AnswerReader()
    assert not reader.feed(OK + b"\r\nsome")
    assert not reader.feed(b" more")
    assert reader.ends_with_connection()
    assert (reader.body_bytes, reader.closes) == (9, True)


@pytest.mark.parametrize("status", [204, 304])
def test_some_statuses_never_have_a_body(status: int) -> None:
    reader = AnswerReader()
    assert reader.feed(b"HTTP/1.1 %d X\r\nContent-Length: 10\r\n\r\n" % status)
    assert reader.body_bytes == 0


@pytest.mark.parametrize(
    ("lines", "closes"),
    [
        (b"HTTP/1.1 200 OK", False),
        (b"HTTP/1.1 200 OK\r\nConnection: keep-alive, Close", True),
        (b"HTTP/1.0 200 OK", True),
        (b"HTTP/1.0 200 OK\r\nConnection: Keep-Alive", False),
        (b"HTTP/1.1 200 ", False),
    ],
)
def test_who_says_that_it_closes_is_believed(lines: bytes, *, closes: bool) -> None:
    assert parse_head(lines).closes is closes


@pytest.mark.parametrize(
    "data",
    [
        b"PCA1",
        b"\r\nHTTP/1.1 200 OK\r\n\r\n",
        b"HTTP/2 200\r\n\r\n",
        b"HTTP/1.1 99 X\r\n\r\n",
        b"HTTP/1.1 600 X\r\n\r\n",
        b"HTTP/1.1  200 OK\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\n\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\n" * (MAX_INTERIM + 1),
        OK + b"Name : value\r\n\r\n",
        OK + b"Name\r\n\r\n",
        OK + b"Folded: a\r\n b\r\n\r\n",
        OK + b"Bare: a\nContent-Length: 5\r\n\r\n",
        OK + b"Nul: \x00\r\n\r\n",
        OK + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\n",
        OK + b"Content-Length: 5, 6\r\n\r\n",
        OK + b"Content-Length: +5\r\n\r\n",
        OK + b"Content-Length: -5\r\n\r\n",
        OK + b"Content-Length: \r\n\r\n",
        OK + b"Content-Length: %d\r\n\r\n" % (MAX_BODY_BYTES + 1),
        OK + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
        OK + b"Transfer-Encoding: gzip, chunked\r\n\r\n",
        OK + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
        OK + b"Transfer-Encoding: chunked\r\n\r\n5 5\r\n",
        OK + b"Transfer-Encoding: chunked\r\n\r\n0x5\r\n",
        OK + b"Transfer-Encoding: chunked\r\n\r\n-1\r\n",
        OK + b"Transfer-Encoding: chunked\r\n\r\n123456789\r\n",
        OK + b"Transfer-Encoding: chunked\r\n\r\n1\r\nab\r\n",
        OK + b"Transfer-Encoding: chunked\r\n\r\n0\r\nno field\r\n",
    ],
)
def test_what_is_ambiguous_or_wrong_is_refused(data: bytes) -> None:
    with pytest.raises(HttpProtocolError):
        AnswerReader().feed(data)


@pytest.mark.parametrize(
    ("begin", "again", "limit"),
    [
        (OK + b"Name: ", b"a" * 1000, MAX_HEAD_BYTES),
        (OK, b"A: b\r\n", MAX_HEAD_BYTES),
        (OK + b"Transfer-Encoding: chunked\r\n\r\n", b"0" * 100, MAX_CHUNK_LINE_BYTES),
        (OK + b"Transfer-Encoding: chunked\r\n\r\n5;", b"a" * 100, MAX_CHUNK_LINE_BYTES),
        (OK + b"Transfer-Encoding: chunked\r\n\r\n0\r\n", b"A: b\r\n", MAX_HEAD_BYTES),
        (OK + b"Transfer-Encoding: chunked\r\n\r\n0\r\nA: ", b"a" * 100, MAX_HEAD_BYTES),
    ],
)
def test_what_never_ends_is_refused_at_its_limit(begin: bytes, again: bytes, limit: int) -> None:
    reader = AnswerReader()
    assert not reader.feed(begin)
    with pytest.raises(HttpProtocolError):  # noqa: PT012 - at the latest, and not before the end
        for _ in range(limit // len(again) + 2):
            assert not reader.feed(again)


def test_a_body_that_never_ends_is_refused_at_its_limit() -> None:
    reader = AnswerReader()
    assert not reader.feed(OK + b"\r\n")
    piece = bytes(1 << 24)
    for _ in range(MAX_BODY_BYTES // len(piece)):
        assert not reader.feed(piece)
    with pytest.raises(HttpProtocolError):
        reader.feed(b"x")


def test_a_request_says_what_is_wanted() -> None:
    assert http_request(0, 100, 0, "here:80", close=False) == (
        b"GET /100 HTTP/1.1\r\nHost: here:80\r\n\r\n"
    )
    assert http_request(7, 0, 2_000, "here:80", close=True) == (
        b"POST /0 HTTP/1.1\r\nHost: here:80\r\nContent-Length: 7\r\nService-Ns: 2000\r\n"
        b"Connection: close\r\n\r\n"
    )
