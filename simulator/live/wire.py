"""The request/response protocol that clients and backends speak through the balancer.

The balancer never looks at it. A request says how long its body is, how long the answer should
be, how long the backend should take, and whether the backend should close after it, so that the
plan alone decides what is carried. An answer says which backend gave it, so that a connection
that reached the wrong one cannot go unnoticed.
"""

from __future__ import annotations

import struct
from typing import Final

#: magic, body bytes, answer body bytes, flags, service time in ns
REQUEST: Final = struct.Struct("<4sIIIQ")
#: magic, backend id, body bytes
ANSWER: Final = struct.Struct("<4sII")
REQUEST_MAGIC: Final = b"PCQ1"
ANSWER_MAGIC: Final = b"PCA1"
FLAG_CLOSE: Final = 1  # close the connection after this answer
MAX_BODY_BYTES: Final = 64 << 20


def request_head(body_bytes: int, answer_bytes: int, service_ns: int, *, close: bool) -> bytes:
    """The head of a request; its body, ``body_bytes`` of anything, follows."""
    return REQUEST.pack(
        REQUEST_MAGIC, body_bytes, answer_bytes, FLAG_CLOSE if close else 0, service_ns
    )
