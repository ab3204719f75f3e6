"""HTTP/1.1 as a client needs it: the bytes of a request, and a bounded reader of answers.

The reader takes an answer's bytes in whatever pieces they come. Who answers may be hostile or
broken: every line, head, trailer and number has a limit, bodies are counted and not kept, and what
is ambiguous is refused rather than guessed, since a guess is how two parties come to disagree on
where an answer ends.

Source: RFC 9112, sections 2.2, 4, 5, 6, 7.1 and 9.6; RFC 9110, sections 5.6.2 and 15.2.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

#: Field in which a request tells the service time that the plan has drawn for it, in ns.
SERVICE_FIELD: Final = "Service-Ns"
#: Status line and fields together; common servers send no more than 8 to 16 KiB.
MAX_HEAD_BYTES: Final = 16 << 10
#: A chunk's size line with its extensions, of which none is used.
MAX_CHUNK_LINE_BYTES: Final = 256
MAX_BODY_BYTES: Final = 1 << 30
#: Interim answers (1xx) before the one that was asked for.
MAX_INTERIM: Final = 8

_STATUS_LINE_RE: Final = re.compile(rb"HTTP/1\.([01]) ([1-5][0-9]{2})(?: [\t\x20-\x7e\x80-\xff]*)?")
_FIELD_RE: Final = re.compile(rb"([!#$%&'*+\-.^_`|~0-9A-Za-z]+):([\t\x20-\x7e\x80-\xff]*)")
_CHUNK_RE: Final = re.compile(rb"([0-9A-Fa-f]{1,8})[\t ]*(?:;[\t\x20-\x7e\x80-\xff]*)?")
_LENGTH_RE: Final = re.compile(rb"[0-9]{1,10}")


class HttpProtocolError(Exception):
    """What came is no HTTP/1.1 answer, or exceeds a limit."""


def http_request(
    request_bytes: int, answer_bytes: int, service_ns: int, host: str, *, close: bool
) -> bytes:
    """The head of a request for so many bytes; its body, ``request_bytes`` of anything, follows.

    Args:
        request_bytes: without any it is a GET, else a POST.
        answer_bytes: body to be answered.
        service_ns: how long the backend should take.
        host: the Host field.
        close: whether this is the last request, and the server should close after it.
    """
    method = "POST" if request_bytes else "GET"
    lines = [f"{method} /{answer_bytes} HTTP/1.1", f"Host: {host}"]
    if request_bytes:
        lines.append(f"Content-Length: {request_bytes}")
    if service_ns:
        lines.append(f"{SERVICE_FIELD}: {service_ns}")
    if close:
        lines.append("Connection: close")
    return ("\r\n".join(lines) + "\r\n\r\n").encode("ascii")


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """What the head of an answer says.

    Attributes:
        status: 100 to 599.
        length: bytes of its body; None where the body is chunked or ends with the connection.
        chunked: whether the body comes in chunks.
        closes: whether the server is to close after it.
    """

    status: int
    length: int | None
    chunked: bool
    closes: bool


@lru_cache(maxsize=256)
def parse_head(head: bytes) -> Head:
    """Read a head without its last empty line.

    The same few heads come again and again, a new one each second at most (its Date).

    Raises:
        HttpProtocolError: it is no head of an answer, or says two things at once.
    """
    first, *lines = head.split(b"\r\n")
    match = _STATUS_LINE_RE.fullmatch(first)
    if match is None:
        raise HttpProtocolError("no status line")
    is_old, status = match[1] == b"0", int(match[2])
    fields = _fields(lines)
    options = {
        one.strip().lower() for value in fields.get(b"connection", ()) for one in value.split(b",")
    }
    chunked = _is_chunked(fields, is_old=is_old)
    length = _length(fields)
    if chunked and length is not None:
        raise HttpProtocolError("both a length and chunks")
    if status < 200 or status in (204, 304):  # these never have a body, whatever they say
        chunked, length = False, 0
    return Head(
        status=status,
        length=length,
        chunked=chunked,
        closes=b"close" in options or (is_old and b"keep-alive" not in options),
    )


def _fields(lines: list[bytes]) -> dict[bytes, list[bytes]]:
    found: dict[bytes, list[bytes]] = {}
    for line in lines:
        match = _FIELD_RE.fullmatch(line)
        if match is None:
            raise HttpProtocolError("no field")  # a folded line among them, obsolete since 2014
        found.setdefault(match[1].lower(), []).append(match[2].strip(b" \t"))
    return found


def _is_chunked(fields: dict[bytes, list[bytes]], *, is_old: bool) -> bool:
    codings = fields.get(b"transfer-encoding")
    if codings is None:
        return False
    if is_old or [one.lower() for one in codings] != [b"chunked"]:
        raise HttpProtocolError("a transfer coding that was not asked for")
    return True


def _length(fields: dict[bytes, list[bytes]]) -> int | None:
    values = {
        one.strip(b" \t")
        for value in fields.get(b"content-length", ())
        for one in value.split(b",")
    }
    if not values:
        return None
    (value, *others) = values
    if others or not _LENGTH_RE.fullmatch(value) or int(value) > MAX_BODY_BYTES:
        raise HttpProtocolError("no length")
    return int(value)


# What a reader waits for.
_HEAD: Final = 0
_BODY: Final = 1  # so many bytes
_UNTIL_CLOSE: Final = 2
_CHUNK_SIZE: Final = 3
_CHUNK_END: Final = 4
_TRAILER: Final = 5
_CHUNK: Final = 6
_DONE: Final = 7


class AnswerReader:
    """Reads the answers of one connection, one after the other.

    Attributes:
        status: of the answer that is being read, or was read last; 0 before its head is there.
        body_bytes: of its body so far.
        closes: whether the server said that it will close after it.
    """

    __slots__ = (
        "_buffer",
        "_interim",
        "_left",
        "_state",
        "_trailer_left",
        "body_bytes",
        "closes",
        "status",
    )

    def __init__(self) -> None:
        self.expect()

    def expect(self) -> None:
        """A request goes out: an answer is awaited from now on."""
        self._buffer = b""
        self._state = _HEAD
        self._left = 0
        self._interim = 0
        self._trailer_left = MAX_HEAD_BYTES
        self.status = 0
        self.body_bytes = 0
        self.closes = False

    def feed(self, data: bytes) -> bool:
        """Take in the next bytes; whether the answer is whole.

        Raises:
            HttpProtocolError: it is no answer, or more came than the one that was asked for.
        """
        if len(data) <= self._left and not self._buffer:  # nearly all of a long answer
            self._count(len(data))
            return self._state == _DONE
        self._buffer = self._buffer + data if self._buffer else data
        while self._buffer and self._state != _DONE:
            if not self._step():
                return False
        if self._buffer:
            raise HttpProtocolError("more than was asked for")
        return self._state == _DONE

    def ends_with_connection(self) -> bool:
        """Whether the answer is whole if the connection ends here."""
        return self._state == _UNTIL_CLOSE

    def _step(self) -> bool:
        """Take what is next off the buffer; whether it was there whole."""
        state = self._state
        if state == _HEAD:
            return self._take_head()
        if state in (_BODY, _CHUNK, _UNTIL_CLOSE):
            taken = len(self._buffer)
            if state != _UNTIL_CLOSE:
                taken = min(self._left, taken)
            self._buffer = self._buffer[taken:]
            self._count(taken)
            return True
        line = self._line(MAX_CHUNK_LINE_BYTES if state == _CHUNK_SIZE else self._trailer_left)
        if line is None:
            return False
        if state == _CHUNK_SIZE:
            self._begin_chunk(line)
        elif state == _CHUNK_END:
            if line:
                raise HttpProtocolError("a chunk longer than it said")
            self._state = _CHUNK_SIZE
        else:
            self._take_trailer(line)
        return True

    def _take_head(self) -> bool:
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            if len(self._buffer) > MAX_HEAD_BYTES:
                raise HttpProtocolError("a head without end")
            if not b"HTTP/1.".startswith(self._buffer[:7]):  # do not wait for the end of nonsense
                raise HttpProtocolError("no status line")
            return False
        if end > MAX_HEAD_BYTES:
            raise HttpProtocolError("a head too long")
        head = parse_head(self._buffer[:end])
        self._buffer = self._buffer[end + 4 :]
        if head.status < 200:
            self._interim += 1
            if head.status == 101 or self._interim > MAX_INTERIM:
                raise HttpProtocolError("an interim answer that was not asked for")
            return True
        self.status, self.closes = head.status, head.closes
        if head.chunked:
            self._state = _CHUNK_SIZE
        elif head.length is None:
            self._state = _UNTIL_CLOSE
            self.closes = True
        else:
            self._left = head.length
            self._state = _BODY if head.length else _DONE
        return True

    def _count(self, taken: int) -> None:
        """Bytes of the body."""
        self.body_bytes += taken
        if self.body_bytes > MAX_BODY_BYTES:
            raise HttpProtocolError("a body too long")
        if self._state != _UNTIL_CLOSE:
            self._left -= taken
            if not self._left:
                self._state = _DONE if self._state == _BODY else _CHUNK_END

    def _line(self, limit: int) -> bytes | None:
        """The next line without its end; None where it is not yet there."""
        end = self._buffer.find(b"\r\n")
        if end > limit or (end < 0 and len(self._buffer) > limit + 1):
            raise HttpProtocolError("a line without end")
        if end < 0:
            return None
        line, self._buffer = self._buffer[:end], self._buffer[end + 2 :]
        return line

    def _begin_chunk(self, line: bytes) -> None:
        match = _CHUNK_RE.fullmatch(line)
        if match is None:
            raise HttpProtocolError("no size of a chunk")
        self._left = int(match[1], 16)
        self._state = _CHUNK if self._left else _TRAILER

    def _take_trailer(self, line: bytes) -> None:
        if not line:
            self._state = _DONE
            return
        if _FIELD_RE.fullmatch(line) is None:
            raise HttpProtocolError("no field")
        self._trailer_left -= len(line) + 2
        if self._trailer_left <= 0:
            raise HttpProtocolError("trailers without end")
