"""The only converter between what people write and what the code holds.

Inside the project a time is an ``int`` of nanoseconds (name ends in ``_ns``) or a ``float`` of
seconds (``_s``); a rate is a ``float`` per second (``_per_s``); a size an ``int`` of bytes
(``_bytes``). Milliseconds and kilobytes exist only in scenario text and on screen.
"""

from __future__ import annotations

import math
import re
from typing import Final

NS_PER_S: Final = 1_000_000_000

_TIME_NS: Final = {
    "ns": 1,
    "us": 1_000,
    "µs": 1_000,
    "ms": 1_000_000,
    "s": NS_PER_S,
    "min": 60 * NS_PER_S,
    "m": 60 * NS_PER_S,
    "h": 3600 * NS_PER_S,
}
_SIZE: Final = {
    "B": 1,
    "kB": 1_000,
    "KB": 1_000,
    "MB": 1_000_000,
    "GB": 1_000_000_000,
    "KiB": 1 << 10,
    "MiB": 1 << 20,
    "GiB": 1 << 30,
}
_PER: Final = {"s": 1.0, "sec": 1.0, "min": 60.0, "m": 60.0, "h": 3600.0}
#: At most 30 digits before the point: a text of any length stays a number a float can hold.
_NUMBER: Final = r"(\d{1,15}(?:_\d{3}){0,5}(?:\.\d{1,9})?)"
_TIME_RE: Final = re.compile(_NUMBER + r"\s*(ns|us|µs|ms|s|min|m|h)")
_SIZE_RE: Final = re.compile(_NUMBER + r"\s*(B|kB|KB|MB|GB|KiB|MiB|GiB)")
_RATE_RE: Final = re.compile(_NUMBER + r"\s*/\s*(sec|s|min|m|h)")


def parse_time_ns(text: str) -> int:
    """Nanoseconds in a text such as ``500ms``, ``2s``, ``1.5min``.

    Raises:
        ValueError: no number with a known unit; the message says what would be right.
    """
    match = _TIME_RE.fullmatch(text.strip())
    if match is None:
        raise ValueError("is not a time; write a number and a unit, such as 500ms, 2s or 1min")
    return round(float(match[1].replace("_", "")) * _TIME_NS[match[2]])


def parse_rate_per_s(text: str) -> float:
    """Events per second in a text such as ``2000/s`` or ``30/min``.

    Raises:
        ValueError: no number with a known unit; the message says what would be right.
    """
    match = _RATE_RE.fullmatch(text.strip())
    if match is None:
        raise ValueError("is not a rate; write a number per unit of time, such as 2000/s or 30/min")
    return float(match[1].replace("_", "")) / _PER[match[2]]


def parse_size_bytes(text: str) -> int:
    """Bytes in a text such as ``64KiB`` or ``1MB``.

    Raises:
        ValueError: no number with a known unit; the message says what would be right.
    """
    match = _SIZE_RE.fullmatch(text.strip())
    if match is None:
        raise ValueError("is not a size; write a number and a unit, such as 100B, 64KiB or 1MB")
    return round(float(match[1].replace("_", "")) * _SIZE[match[2]])


#: From here on three digits round to 1,000, which is one of the next unit.
_ROUNDS_UP: Final = 0.9995


def _trim(value: float) -> str:
    """At most three significant digits, without a trailing zero or point."""
    if value == 0:
        return "0"
    digits = max(0, 2 - math.floor(math.log10(abs(value))))
    text = f"{value:,.{min(digits, 3)}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def format_ns(value_ns: float) -> str:
    """A time for the screen with three significant digits: ``412us``, ``1.25ms``, ``60s``."""
    for unit, size in (("s", NS_PER_S), ("ms", 1_000_000), ("us", 1_000)):
        if abs(value_ns) >= size * _ROUNDS_UP:
            return f"{_trim(value_ns / size)}{unit}"
    return f"{_trim(value_ns)}ns"


def format_rate(value_per_s: float) -> str:
    """A rate for the screen: ``32,768/s``."""
    return f"{_trim(value_per_s)}/s" if value_per_s < 100 else f"{value_per_s:,.0f}/s"


def format_bytes(value_bytes: float) -> str:
    """A size for the screen in powers of 1024: ``5.6KiB``."""
    for unit, size in (("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)):
        if abs(value_bytes) >= size:
            return f"{_trim(value_bytes / size)}{unit}"
    return f"{_trim(value_bytes)}B"


def format_count(value: float) -> str:
    """A whole number for the screen with thousands separated: ``16,384``."""
    return f"{value:,.0f}"
