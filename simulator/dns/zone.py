"""The zone of the laboratory: which names there are, and what tells true answers from forged ones.

Every name has addresses of its own, so that whoever asked can tell whether he was told the truth.
That is more than a user of DNS can do, and the reason why forgeries can be counted here.

Source: RFC 2544 appendix C.2.2 (198.18.0.0/15, for benchmarks), RFC 5737 (203.0.113.0/24, for
documentation), RFC 6761 section 6.2 (`test`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from simulator.dns.message import Message, Name

_SUFFIX: Final = (b"zone", b"test")
_FIRST_TRUE: Final = 198 << 24 | 18 << 16
_TRUE_ADDRESSES: Final = 1 << 17
#: Where a forger wants to lead: 203.0.113.66.
FORGED_ADDRESS: Final = 203 << 24 | 113 << 8 | 66
FORGED_BYTES: Final = FORGED_ADDRESS.to_bytes(4, "big")
#: One record of an answer whose owner name is a pointer.
RECORD_BYTES: Final = 16


def name_of(index: int) -> Name:
    """The name with this number."""
    return (b"n%d" % index, *_SUFFIX)


def index_of(name: Name) -> int | None:
    """The number of a name, None when it is not of this zone."""
    if len(name) != 3 or tuple(one.lower() for one in name[1:]) != _SUFFIX:
        return None
    digits = name[0][1:]
    if name[0][:1].lower() != b"n" or not digits.isdigit() or len(digits) > 9:
        return None
    return int(digits)


def true_addresses(index: int, answer_bytes: int) -> tuple[int, ...]:
    """The addresses of a name: as many as make up an answer of so many bytes, at least one."""
    count = max(1, answer_bytes // RECORD_BYTES)
    return tuple(_FIRST_TRUE + (index + at) % _TRUE_ADDRESSES for at in range(count))


def is_true(index: int, message: Message) -> bool:
    """Whether an answer names this name's own first address."""
    return message.addresses[:1] == true_addresses(index, 0)


def is_forged(message: Message) -> bool:
    """Whether an answer leads where the forger wants."""
    return FORGED_ADDRESS in message.addresses
