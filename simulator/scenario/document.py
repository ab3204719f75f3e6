"""A bounded reader of YAML 1.2: text in, a tree with the place of every key and value out.

It takes the parser's event stream and builds the tree itself, so that nothing of a hostile file is
constructed before it is judged. Only what JSON can say is let through: no tags, anchors, aliases,
merge keys or second document, and every mapping key once. Plain scalars are typed by the core
schema of YAML 1.2 (section 10.3.2): ``12:30`` and ``no`` are text, ``true`` and ``false`` the only
booleans. The bounds are set so that the worst document within them is read in about 100 ms.

Source: YAML 1.2.2, https://yaml.org/spec/1.2.2/ sections 5, 7 and 10.3.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import (
    AliasEvent,
    CollectionStartEvent,
    DocumentStartEvent,
    Event,
    MappingEndEvent,
    MappingStartEvent,
    NodeEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)

from simulator.scenario.complaint import Complaint, Place, ScenarioComplaintsError, Source

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_BYTES: Final = 64 * 1024
MAX_LINES: Final = 2_000
MAX_SEPARATORS: Final = 4_000
MAX_NODES: Final = 4_000
MAX_DEPTH: Final = 32
MAX_SCALAR: Final = 4_096
MAX_DIGITS: Final = 19
#: Keys whose text may be as long as the file; the model has its own limit.
LONG_TEXT: Final = frozenset({"expect"})

# U+0085, U+2028 and U+2029 are line breaks to some readers and not to others, so that the line
# numbers of two tools would differ: refused like the control characters.
_FORBIDDEN: Final = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufffe\uffff]")
_FORBIDDEN_VALUE: Final = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_INT: Final = re.compile(r"[-+]?[0-9]+")
_RADIX: Final = re.compile(r"0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT: Final = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_NOT_FINITE: Final = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
_HINTS: Final = {
    "mapping values are not allowed here": (
        "a second ': ' on one line; put the value in quotes or on a line of its own"
    ),
    "could not find expected ':'": "a key without its ': '",
    "found character '\\t' that cannot start any token": "a tab; indent with spaces",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Scalar:
    """A single value. ``faulty`` means that it was already complained about."""

    at: Place
    value: bool | int | float | str | None
    text: str
    faulty: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """A sequence."""

    at: Place
    items: tuple[Node, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One key of a mapping, with the place of the key."""

    at: Place
    node: Node


@dataclass(frozen=True, slots=True, kw_only=True)
class Tree:
    """A mapping, in the order of the file."""

    at: Place
    entries: dict[str, Entry] = field(default_factory=dict)


Node = Scalar | Listing | Tree
Plain = None | bool | int | float | str | list["Plain"] | dict[str, "Plain"]


def plain(node: Node) -> Plain:
    """The node as dicts, lists and scalars, without places."""
    if isinstance(node, Scalar):
        return node.value
    if isinstance(node, Listing):
        return [plain(item) for item in node.items]
    return {key: plain(entry.node) for key, entry in node.entries.items()}


def decode(data: bytes, name: str) -> str:
    """The text of a file's bytes; a byte order mark at the start is left out.

    Raises:
        ScenarioError: too long, or not UTF-8.
    """
    if len(data) > MAX_BYTES:
        raise _at_start(name, f"is longer than {MAX_BYTES:,} bytes, the most a scenario may have")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        good = data[: error.start].decode("utf-8-sig")
        lines = good.split("\n")
        place = _place(Source(name=name, lines=lines), len(lines), len(lines[-1]) + 1)
        message = f"byte 0x{data[error.start]:02x} is not UTF-8; save the file as UTF-8"
        raise ScenarioComplaintsError([Complaint(place=place, path="", message=message)]) from None


def read_document(
    text: str, name: str, complaints: list[Complaint], *, first_line: str = "", path: str = ""
) -> Node | None:
    """Read one document; None when it is empty.

    Args:
        text: the document.
        name: what complaints call it, usually the file's name as given.
        complaints: takes what is wrong but leaves the rest readable.
        first_line: the line that ends with the first line of the text, when it is part of a flag.
        path: path of the document's root, for complaints.

    Raises:
        ScenarioError: not YAML, or outside the bounds: nothing more can be said about it.
    """
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    lines = text.split("\n")
    shift = max(0, len(first_line.partition("\n")[0]) - len(lines[0]))
    if first_line:
        lines[0] = first_line.partition("\n")[0]
    source = Source(name=name, lines=lines)
    _judge_text(text, source)
    return _Reader(source, complaints, path, shift).read(text)


def _place(source: Source, line: int, column: int) -> Place:
    return Place(source=source, line=line, column=column)


def _at_start(name: str, message: str) -> ScenarioComplaintsError:
    place = _place(Source(name=name, lines=()), 1, 1)
    return ScenarioComplaintsError([Complaint(place=place, path="", message=message)])


def _stop(source: Source, offset_text: str, message: str) -> ScenarioComplaintsError:
    lines = offset_text.split("\n")
    place = _place(source, len(lines), len(lines[-1]) + 1)
    return ScenarioComplaintsError([Complaint(place=place, path="", message=message)])


def _judge_text(text: str, source: Source) -> None:
    """Bounds that need no parser, so that the parser never sees what would keep it busy."""
    if len(text.encode("utf-8", "surrogatepass")) > MAX_BYTES:
        raise _at_start(source.name, f"is longer than {MAX_BYTES:,} bytes")
    wrong = _FORBIDDEN.search(text)
    if wrong:
        raise _stop(
            source,
            text[: wrong.start()],
            f"the character U+{ord(wrong[0]):04X} may not stand in a scenario; delete it",
        )
    if len(source.lines) > MAX_LINES:
        raise _at_start(source.name, f"has more than {MAX_LINES:,} lines")
    depth = 0
    for count, bracket in enumerate(re.finditer(r"[][{},]", text), 1):
        depth += {"[": 1, "{": 1, "]": -1, "}": -1}.get(bracket[0], 0)
        depth = max(depth, 0)
        if depth > MAX_DEPTH:
            raise _stop(
                source, text[: bracket.start()], f"brackets are nested deeper than {MAX_DEPTH}"
            )
        if count > MAX_SEPARATORS:
            raise _stop(
                source,
                text[: bracket.start()],
                f"more than {MAX_SEPARATORS:,} commas and brackets",
            )


class _Reader:
    """Builds the tree of one document from events, within bounds."""

    def __init__(self, source: Source, complaints: list[Complaint], path: str, shift: int) -> None:
        self.source = source
        self.complaints = complaints
        self.root_path = path
        self.shift = shift
        self.nodes = 0
        self.path: list[str] = []

    def read(self, text: str) -> Node | None:
        """The root node."""
        events = self._events(text)
        root: Node | None = None
        documents = 0
        for event in events:
            if isinstance(event, DocumentStartEvent):
                documents += 1
                if documents > 1:
                    raise self._stop(event, "a second document; write one scenario a file")
                if event.tags or (event.version is not None and event.version != (1, 2)):
                    raise self._stop(event, "a directive; leave out the lines that begin with %")
                root = self._node(next(events), events)
        empty = isinstance(root, Scalar) and root.value is None
        return None if empty else root

    def _events(self, text: str) -> Iterator[Event]:
        """The parser's events; whatever it trips over becomes one located complaint."""
        reader = YAML(typ="safe", pure=True)
        try:
            yield from reader.parse(text)
        except MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            problem = str(error.problem or error.context or "cannot be read")
            message = f"is not YAML: {_HINTS.get(problem, problem)}"
            place = _place(
                self.source,
                mark.line + 1 if mark else 1,
                mark.column + 1 + (self.shift if mark and mark.line == 0 else 0) if mark else 1,
            )
            raise ScenarioComplaintsError(
                [Complaint(place=place, path=self._path_text(), message=message)]
            ) from None
        except (YAMLError, ValueError, OverflowError, LookupError, TypeError, AttributeError):
            # Such as an escape beyond U+10FFFF, which the parser turns into a ValueError.
            place = _place(self.source, 1, 1 + self.shift)
            raise ScenarioComplaintsError(
                [Complaint(place=place, path=self._path_text(), message="is not YAML")]
            ) from None

    def _at(self, event: Event) -> Place:
        mark = event.start_mark
        shift = self.shift if mark.line == 0 else 0
        return _place(self.source, mark.line + 1, mark.column + 1 + shift)

    def _path_text(self) -> str:
        return ".".join([self.root_path, *self.path] if self.root_path else self.path)

    def _stop(self, event: Event, message: str) -> ScenarioComplaintsError:
        complaint = Complaint(place=self._at(event), path=self._path_text(), message=message)
        return ScenarioComplaintsError([*self.complaints, complaint])

    def _complain(self, place: Place, message: str) -> None:
        self.complaints.append(Complaint(place=place, path=self._path_text(), message=message))

    def _judge(self, event: Event) -> None:
        """Refuse what JSON cannot say."""
        self.nodes += 1
        if self.nodes > MAX_NODES:
            raise self._stop(event, f"more than {MAX_NODES:,} keys and values")
        if isinstance(event, AliasEvent):
            raise self._stop(event, "an alias (*name); write the value out")
        if isinstance(event, NodeEvent) and event.anchor is not None:
            raise self._stop(event, "an anchor (&name); leave it out, aliases are not read")
        if isinstance(event, ScalarEvent | CollectionStartEvent) and event.tag is not None:
            raise self._stop(event, "a tag (!name); leave it out, types follow from the value")

    def _node(self, event: Event, events: Iterator[Event]) -> Node:
        self._judge(event)
        if isinstance(event, ScalarEvent):
            return self._scalar(event)
        if len(self.path) >= MAX_DEPTH:
            raise self._stop(event, f"is nested deeper than {MAX_DEPTH}")
        if isinstance(event, SequenceStartEvent):
            return self._listing(event, events)
        assert isinstance(event, MappingStartEvent)
        return self._tree(event, events)

    def _key(self, event: Event) -> str:
        """The text of a key; keys are never typed, so that ``010`` and ``no`` stay themselves."""
        self._judge(event)
        if not isinstance(event, ScalarEvent):
            raise self._stop(event, "a key that is not a plain word")
        if event.value == "<<" and event.style is None:
            raise self._stop(event, "a merge key (<<); write the keys out")
        if _FORBIDDEN_VALUE.search(event.value):
            raise self._stop(event, "a key with a control character")
        if len(event.value) > MAX_SCALAR:
            raise self._stop(event, f"a key longer than {MAX_SCALAR:,} characters")
        return str(event.value)

    def _listing(self, start: Event, events: Iterator[Event]) -> Listing:
        items: list[Node] = []
        for event in events:
            if isinstance(event, SequenceEndEvent):
                break
            self.path.append(str(len(items)))
            items.append(self._node(event, events))
            self.path.pop()
        return Listing(at=self._at(start), items=tuple(items))

    def _tree(self, start: Event, events: Iterator[Event]) -> Tree:
        entries: dict[str, Entry] = {}
        for event in events:
            if isinstance(event, MappingEndEvent):
                break
            key, at = self._key(event), self._at(event)
            self.path.append(key)
            node = self._node(next(events), events)
            if key in entries:
                first = entries[key].at.line
                self._complain(at, f"stands twice, first on line {first}; keep one of them")
            else:
                entries[key] = Entry(at=at, node=node)
            self.path.pop()
        return Tree(at=self._at(start), entries=entries)

    def _scalar(self, event: ScalarEvent) -> Scalar:
        text: str = event.value
        place = self._at(event)
        limit = MAX_BYTES if self.path and self.path[-1] in LONG_TEXT else MAX_SCALAR
        if len(text) > limit:
            raise self._stop(event, f"is longer than {limit:,} characters")
        wrong = _FORBIDDEN_VALUE.search(text)
        if wrong:
            self._complain(place, f"holds the control character U+{ord(wrong[0]):04X}; delete it")
            return Scalar(at=place, value=_FORBIDDEN_VALUE.sub("?", text), text="?", faulty=True)
        if event.style is not None:
            return Scalar(at=place, value=text, text=text)
        try:
            return Scalar(at=place, value=_typed(text), text=text)
        except ValueError as error:
            self._complain(place, str(error))
            return Scalar(at=place, value=text[:32], text=text, faulty=True)


def _typed(text: str) -> bool | int | float | str | None:
    """The value of a plain scalar by the core schema.

    Raises:
        ValueError: a number that is too large, not finite, or reads differently elsewhere.
    """
    if text in ("", "~", "null", "Null", "NULL"):
        return None
    if text in ("true", "false"):
        return text == "true"
    if _INT.fullmatch(text):
        digits = text.lstrip("+-")
        if len(digits) > 1 and digits[0] == "0":
            raise ValueError(
                "begins with 0, which some readers take for octal; leave the 0 out, or quote it"
            )
        if len(digits) > MAX_DIGITS:
            raise ValueError(f"has {len(digits):,} digits; {MAX_DIGITS} are the most")
        return int(text)
    if _RADIX.fullmatch(text):
        raise ValueError("is not a decimal number; write it in decimal, or quote it")
    if _NOT_FINITE.fullmatch(text):
        raise ValueError("is not a finite number; give a real limit")
    if _FLOAT.fullmatch(text):
        value = float(text)
        if not math.isfinite(value):
            raise ValueError("is too large a number")
        return value
    return text
