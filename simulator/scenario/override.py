"""Change one value of a scenario tree by its path: what ``--set`` flags and variants do.

A path is keys joined by dots. In a list an entry is named by its number from 0 or, for phases, by
its name: ``traffic.0.for`` or ``traffic.ramp.for``. What follows ``sysctls`` is one key, dots and
all. Trees are values: a change gives a new tree and leaves the old one alone.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from simulator.scenario.complaint import Complaint, Place, ScenarioComplaintsError, Source
from simulator.scenario.document import (
    MAX_DEPTH,
    Entry,
    Listing,
    Node,
    Scalar,
    Tree,
    read_document,
)

#: Giving one of these takes the others away, since only one of them may stand.
_INSTEAD_OF: Final = {
    "constant": (
        *("exponential", "lognormal", "pareto", "bimodal"),
        *("poisson", "trace", "geometric", "uniform"),
    ),
    "exponential": ("constant", "lognormal", "pareto", "bimodal"),
    "lognormal": ("constant", "exponential", "pareto", "bimodal"),
    "pareto": ("constant", "exponential", "lognormal", "bimodal"),
    "bimodal": ("constant", "exponential", "lognormal", "pareto"),
    "geometric": ("constant", "uniform"),
    "uniform": ("constant", "geometric"),
    "poisson": ("constant", "trace"),
    "trace": ("constant", "poisson"),
    "from": ("steps", "bursts", "sine"),
    "to": ("steps", "bursts", "sine"),
    "steps": ("from", "to", "bursts", "sine"),
    "bursts": ("from", "to", "steps", "sine"),
    "sine": ("from", "to", "steps", "bursts"),
    "arrivals": ("hold", "users"),
    "hold": ("arrivals", "users"),
    "users": ("arrivals", "hold"),
}
#: Keys by which a value in its short form is spelt out before one of them is changed.
_SPELT_OUT: Final = {"from": ("from", "to"), "to": ("from", "to")}
_ONE_KEY: Final = "sysctls"


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One value to set.

    Attributes:
        path: as written.
        at: where the path is written.
        node: the new value.
    """

    path: str
    at: Place
    node: Node


def read_flag(text: str, complaints: list[Complaint]) -> Change | None:
    """The change that ``--set PATH=VALUE`` asks for; None when it was complained about.

    The value is read like one of a scenario file, within the same bounds.

    Raises:
        ScenarioError: the value is outside the bounds of the reader.
    """
    path, equals, value = text.partition("=")
    source = Source(name="--set", lines=[text])
    start = Place(source=source, line=1, column=1)
    if not equals or not path.strip():
        message = "is not path=value; write for example --set backends.count=4"
        complaints.append(Complaint(place=start, path="", message=message))
        return None
    node = read_document(value, "--set", complaints, first_line=text, path=path)
    if node is None:
        at = Place(source=source, line=1, column=len(path) + 2)
        complaints.append(Complaint(place=at, path=path, message="has no value; give one"))
        return None
    return Change(path=path.strip(), at=start, node=node)


def apply(root: Tree, change: Change) -> Tree:
    """The tree with one value changed; mappings on the way are made as needed.

    Raises:
        ScenarioError: the path leads nowhere.
    """
    parts = change.path.split(".")
    if len(parts) > MAX_DEPTH or not all(parts):
        raise _wrong(change, "is not a path; write keys joined by single dots")
    changed = _set(root, parts, change)
    assert isinstance(changed, Tree)
    return changed


def _wrong(change: Change, message: str) -> ScenarioComplaintsError:
    return ScenarioComplaintsError([Complaint(place=change.at, path=change.path, message=message)])


def _set(node: Node | None, parts: list[str], change: Change) -> Node:
    if not parts:
        return change.node
    if isinstance(node, Listing):
        index = _index(node, parts, change)
        items = list(node.items)
        items[index] = _set(items[index], parts[1:], change)
        return replace(node, items=tuple(items))
    tree = node if isinstance(node, Tree) else _spelt_out(node, parts[0], change)
    key = parts[0]
    rest = [".".join(parts[1:])] if key == _ONE_KEY and len(parts) > 1 else parts[1:]
    old = tree.entries.get(key)
    entries = {
        name: entry for name, entry in tree.entries.items() if name not in _INSTEAD_OF.get(key, ())
    }
    at = change.at if old is None or not rest else old.at
    entries[key] = Entry(at=at, node=_set(old.node if old else None, rest, change))
    return replace(tree, entries=entries)


def _spelt_out(node: Node | None, key: str, change: Change) -> Tree:
    """A missing mapping, or a value in its short form, as a mapping that `key` can change."""
    if isinstance(node, Scalar) and key in _SPELT_OUT:
        at = node.at
        return Tree(at=at, entries={name: Entry(at=at, node=node) for name in _SPELT_OUT[key]})
    return Tree(at=change.at)


def _index(listing: Listing, parts: list[str], change: Change) -> int:
    """Which entry of a list a part of the path names."""
    part = parts[0]
    if part.isascii() and part.isdigit() and len(part) < 6:
        if int(part) < len(listing.items):
            return int(part)
        raise _wrong(change, f"there is no entry {part}; they are 0 to {len(listing.items) - 1}")
    names = [_name(item) for item in listing.items]
    if part in names:
        return names.index(part)
    known = ", ".join(name for name in names if name) or "numbers from 0"
    raise _wrong(change, f"there is no entry {part}; write one of {known}")


def _name(item: Node) -> str:
    entry = item.entries.get("name") if isinstance(item, Tree) else None
    return entry.node.text if entry and isinstance(entry.node, Scalar) else ""
