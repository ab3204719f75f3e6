"""Complaints about a scenario: where, what is wrong, what would be right, and the line itself.

Nothing here knows YAML or the models. Text that came from a file is shown with its control,
direction and escape characters replaced, since it ends on somebody's terminal.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from simulator.errors import ScenarioError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_HIDDEN: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
_SHOWN_WIDTH: Final = 100


def printable(text: str) -> str:
    """The text with every character that could steer a terminal written as an escape."""
    return "".join(
        character
        if unicodedata.category(character) not in _HIDDEN
        else character.encode("unicode_escape", "backslashreplace").decode("ascii")
        for character in text
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A text that complaints point into: a file, or one ``--set`` flag."""

    name: str
    lines: Sequence[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A position in a source; line and column count from 1."""

    source: Source
    line: int
    column: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Complaint:
    """One thing that is wrong.

    Attributes:
        place: where.
        path: keys from the top of the scenario, joined by dots; "" = the whole file.
        message: what is wrong; what would be right.
    """

    place: Place
    path: str
    message: str

    def head(self) -> str:
        """``file:line:column: path: message`` on one line."""
        where = f"{printable(self.place.source.name)}:{self.place.line}:{self.place.column}"
        path = f"{printable(self.path)}: " if self.path else ""
        return f"{where}: {path}{printable(self.message)}"

    def render(self) -> str:
        """The head, the source line and a caret under the column."""
        lines = self.place.source.lines
        if not 1 <= self.place.line <= len(lines):
            return self.head()
        number = str(self.place.line)
        shown, caret = _window(lines[self.place.line - 1], self.place.column)
        return f"{self.head()}\n  {number} | {shown}\n  {' ' * len(number)} | {caret}"


def _window(line: str, column: int) -> tuple[str, str]:
    """The part of a line around a column, and a caret line that points at it."""
    at = min(column - 1, len(line))
    start = max(0, at - _SHOWN_WIDTH // 2) if len(line) > _SHOWN_WIDTH else 0
    before = printable(line[start:at].replace("\t", " "))
    after = printable(line[at : start + _SHOWN_WIDTH].replace("\t", " "))
    if start:
        before = "..." + before
    width = sum(2 if unicodedata.east_asian_width(sign) in "WF" else 1 for sign in before)
    return (before + after).rstrip(), " " * width + "^"


class ScenarioComplaintsError(ScenarioError):
    """A scenario error that also keeps its complaints apart, for ``--output json``."""

    def __init__(self, complaints: Iterable[Complaint]) -> None:
        # A variant repeats what is wrong with its base; flags come after the file.
        unique = {item.head(): item for item in complaints}
        self.complaints: tuple[Complaint, ...] = tuple(sorted(unique.values(), key=_in_order))
        super().__init__("\n".join(item.render() for item in self.complaints))


def _in_order(complaint: Complaint) -> tuple[bool, int, int]:
    place = complaint.place
    return place.source.name.startswith("--"), place.line, place.column
