"""The words of the grammar: times, rates, sizes and port ranges as fields of a model.

Each reads the text of a scenario file by `units` or `ports.range`, is held as a number or value,
and is written back as a text that reads the same.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Any, Final

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    InstanceOf,
    PlainSerializer,
    WithJsonSchema,
)
from pydantic_core import PydanticCustomError

from simulator.ports.range import PortRange, parse_port_range
from simulator.units import NS_PER_S, parse_rate_per_s, parse_size_bytes, parse_time_ns

if TYPE_CHECKING:
    from collections.abc import Callable

MAX_DURATION_NS: Final = 3600 * NS_PER_S
MAX_RATE_PER_S: Final = 1_000_000
#: Type of the errors made by `about`.
ABOUT: Final = "about"
Where = str | tuple[str, ...]

_RESERVED_RE: Final = re.compile(r"\s*\d{1,6}\s*")
_NUMBER_JSON: Final = r"[0-9]{1,15}(_[0-9]{3})*(\.[0-9]{1,9})?"
TIME_JSON: Final = rf"^\s*{_NUMBER_JSON}\s*(ns|us|µs|ms|s|min|m|h)\s*$"
RATE_JSON: Final = rf"^\s*{_NUMBER_JSON}\s*/\s*(s|sec|min|m|h)\s*$"
SIZE_JSON: Final = rf"^\s*{_NUMBER_JSON}\s*(B|kB|KB|MB|GB|KiB|MiB|GiB)\s*$"


def about(where: Where, message: str, *more: tuple[Where, str]) -> PydanticCustomError:
    """Errors of a whole mapping that are best shown at some of its keys.

    Args:
        where: path below the mapping; a tuple when a key has dots of its own.
        message: what is wrong; what would be right.
        more: further pairs of the two.
    """
    pairs = [
        (tuple(path.split(".")) if isinstance(path, str) else path, what)
        for path, what in [(where, message), *more]
    ]
    shown = "; ".join(f"{'.'.join(path)} {what}" for path, what in pairs)
    return PydanticCustomError(ABOUT, "{message}", {"message": shown, "pairs": pairs})


def as_written(text: str) -> Any:  # noqa: ANN401 - a default has the type of its field
    """A default in the words of a scenario file; `validate_default` reads it like a given one."""
    return text


def time_text(value_ns: int) -> str:
    """The shortest exact text of a time, so that a resolved scenario can be read again."""
    for unit, size in (("s", NS_PER_S), ("ms", 1_000_000), ("us", 1_000)):
        if value_ns % size == 0:
            return f"{value_ns // size}{unit}"
    return f"{value_ns}ns"


def rate_text(value_per_s: float) -> str:
    """A rate as a text that reads the same."""
    text = f"{value_per_s:.9f}".rstrip("0").rstrip(".")
    return f"{text or '0'}/s"


def size_text(value_bytes: int) -> str:
    """A size as a text that reads the same."""
    for unit, size in (("MiB", 1 << 20), ("KiB", 1 << 10)):
        if value_bytes and value_bytes % size == 0:
            return f"{value_bytes // size}{unit}"
    return f"{value_bytes}B"


def _from_text(parse: Callable[[str], object], example: str) -> BeforeValidator:
    def read(value: object) -> object:
        if isinstance(value, str):
            return parse(value)
        raise ValueError(f"needs a unit; write {example}")

    return BeforeValidator(read)


def _reserved(value: object) -> PortRange:
    """One port, as a number or text, or a range."""
    if isinstance(value, int) and not isinstance(value, bool):
        return PortRange(value, value)
    if isinstance(value, str):
        if _RESERVED_RE.fullmatch(value):
            return PortRange(int(value), int(value))
        return parse_port_range(value)
    raise ValueError("is not a port; write 50000 or 50000-50009")


TimeNs = Annotated[
    int,
    _from_text(parse_time_ns, "500ms or 2s"),
    Field(ge=0, le=MAX_DURATION_NS),
    PlainSerializer(time_text, when_used="json"),
    WithJsonSchema({"type": "string", "pattern": TIME_JSON}),
]
RatePerS = Annotated[
    float,
    _from_text(parse_rate_per_s, "2000/s"),
    Field(gt=0, le=MAX_RATE_PER_S, allow_inf_nan=False),
    PlainSerializer(rate_text, when_used="json"),
    WithJsonSchema({"type": "string", "pattern": RATE_JSON}),
]
SizeBytes = Annotated[
    int,
    _from_text(parse_size_bytes, "64B or 16KiB"),
    Field(ge=0, le=1 << 30),
    PlainSerializer(size_text, when_used="json"),
    WithJsonSchema({"type": "string", "pattern": SIZE_JSON}),
]
Ports = Annotated[
    InstanceOf[PortRange],
    _from_text(parse_port_range, "first-last, such as 49152-65535"),
    PlainSerializer(str, when_used="json"),
    WithJsonSchema({"type": "string", "pattern": r"^\s*[0-9]{1,6}\s*-\s*[0-9]{1,6}\s*$"}),
]
ReservedPorts = Annotated[
    InstanceOf[PortRange],
    BeforeValidator(_reserved),
    PlainSerializer(str, when_used="json"),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "integer", "minimum": 1, "maximum": 65535},
                {"type": "string", "pattern": r"^\s*[0-9]{1,6}(\s*-\s*[0-9]{1,6})?\s*$"},
            ]
        }
    ),
]
Count = Annotated[int, Field(ge=1, strict=True)]


class Mapping(BaseModel):
    """What all mappings share: frozen, no unknown key, defaults checked like given values."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", validate_default=True, populate_by_name=True
    )


def exactly_one(value: BaseModel, names: tuple[str, ...]) -> None:
    """Check that exactly one of some optional fields was given.

    Raises:
        PydanticCustomError: none or several were.
    """
    given = [name for name in names if getattr(value, name) is not None]
    if not given:
        raise ValueError(f"has none of {', '.join(names)}; give exactly one of them")
    if len(given) > 1:
        raise about(given[1], f"stands beside {given[0]}; keep exactly one of {', '.join(names)}")
