"""From a tree to a Scenario, or to complaints in plain words at their places.

The models find what is wrong; this file finds where it stands in the text and says it in the words
of the grammar, with the nearest known key for an unknown one.
"""

from __future__ import annotations

import types
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, Final, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError

from simulator.scenario.complaint import Complaint, Place
from simulator.scenario.document import Entry, Listing, Node, Scalar, Tree, plain
from simulator.scenario.fields import ABOUT, rate_text, size_text, time_text
from simulator.scenario.schema import Scenario
from simulator.units import parse_rate_per_s, parse_size_bytes, parse_time_ns

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pydantic_core import ErrorDetails

Path = tuple[str | int, ...]

_KIND: Final = {
    "int_type": "must be a whole number, such as 4",
    "int_parsing": "must be a whole number, such as 4",
    "int_from_float": "must be a whole number, such as 4",
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
    "string_type": "must be text; put it in quotes",
    "tuple_type": "must be a list; write [one, two], or one '- ' line each",
    "list_type": "must be a list; write [one, two], or one '- ' line each",
    "dict_type": "must be a mapping; write its keys below it, indented",
    "model_type": "must be a mapping; write its keys below it, indented",
    "model_attributes_type": "must be a mapping; write its keys below it, indented",
}


def check(root: Tree, complaints: list[Complaint]) -> Scenario | None:
    """The scenario of a tree; None when something was complained about.

    Args:
        root: the whole tree.
        complaints: takes everything that is wrong.
    """
    before = len(complaints)
    _complain_of_nulls(root, (), complaints)
    try:
        scenario = Scenario.model_validate(plain(root), by_alias=True, by_name=False)
    except ValidationError as error:
        for detail in error.errors(include_url=False):
            complaints.extend(_translate(detail, root))
        return None
    return scenario if len(complaints) == before else None


def path_text(path: Sequence[str | int]) -> str:
    """A path as people write it: ``traffic.0.for``."""
    return ".".join(str(part) for part in path)


def locate(root: Tree, path: Path) -> tuple[Node, Place, int]:
    """The deepest node on a path, the place of its key, and how many parts of the path it took."""
    node: Node = root
    key = root.at
    for depth, part in enumerate(path):
        if isinstance(node, Tree) and part in node.entries:
            entry: Entry = node.entries[str(part)]
            node, key = entry.node, entry.at
        elif isinstance(node, Listing) and isinstance(part, int) and part < len(node.items):
            node = node.items[part]
            key = node.at
        else:
            return node, key, depth
    return node, key, len(path)


def _complain_of_nulls(node: Node, path: Path, complaints: list[Complaint]) -> None:
    if isinstance(node, Tree):
        for key, entry in node.entries.items():
            if isinstance(entry.node, Scalar) and entry.node.value is None:
                message = "has no value; give one, or leave the key out"
                where = path_text((*path, key))
                complaints.append(Complaint(place=entry.at, path=where, message=message))
            _complain_of_nulls(entry.node, (*path, key), complaints)
    elif isinstance(node, Listing):
        for index, item in enumerate(node.items):
            if isinstance(item, Scalar) and item.value is None:
                where = path_text((*path, index))
                message = "is empty; give a value, or leave the entry out"
                complaints.append(Complaint(place=item.at, path=where, message=message))
            _complain_of_nulls(item, (*path, index), complaints)


def _translate(detail: ErrorDetails, root: Tree) -> list[Complaint]:
    """The complaints of one error of the models; none where one was already made."""
    path: Path = tuple(part for part in detail["loc"] if part != "[key]")
    kind, ctx = detail["type"], detail.get("ctx", {})
    if kind == ABOUT:
        pairs = ctx["pairs"]
        return [_at_key(root, (*path, *_numbered(where)), message) for where, message in pairs]
    if kind == "missing":
        _, key, depth = locate(root, path[:-1])
        message = f"is missing; give {_purpose(path)}"
        return [Complaint(place=key, path=path_text(path), message=message)]
    if kind == "extra_forbidden":
        return [_at_key(root, path, _unknown_key(path))]
    node, key, depth = locate(root, path)
    if isinstance(node, Scalar) and (node.faulty or node.value is None):
        return []
    if kind == "too_short" and isinstance(node, Listing) and len(node.items) >= ctx["min_length"]:
        return []  # the entries are there, but each was complained about
    place = node.at if isinstance(node, Scalar) else key
    message = _plain_words(detail, ctx, node)
    # A short form (`lifetime: 20`) fails one level deeper than the file goes.
    shown = path[:depth] if isinstance(node, Scalar) else path
    return [Complaint(place=place, path=path_text(shown), message=message)]


def _numbered(where: Sequence[str]) -> Path:
    return tuple(int(part) if part.isdigit() else part for part in where)


def _at_key(root: Tree, path: Path, message: str) -> Complaint:
    """A complaint at a key; at the mapping above it when the key is not in the file."""
    _, place, _ = locate(root, path)
    return Complaint(place=place, path=path_text(path), message=message)


def _plain_words(detail: ErrorDetails, ctx: Mapping[str, Any], node: Node) -> str:
    kind = detail["type"]
    if kind in _KIND:
        return _KIND[kind]
    if kind == "value_error":
        text = str(ctx["error"])
        return f"{node.text} {text}" if isinstance(node, Scalar) else text
    if kind == "literal_error":
        return _choice(node, str(ctx["expected"]))
    for bound, words in (
        ("ge", "at least"),
        ("gt", "more than"),
        ("le", "at most"),
        ("lt", "less than"),
    ):
        if bound in ctx:
            given = f"is {node.text}; it " if isinstance(node, Scalar) else ""
            return f"{given}must be {words} {_in_words_of(node, ctx[bound])}"
    if kind.endswith("too_short"):
        return f"is too short; it needs at least {ctx['min_length']}"
    if kind.endswith("too_long"):
        return f"is too long; {ctx['max_length']} is the most"
    return detail["msg"].replace("Input should be", "must be")


def _choice(node: Node, expected: str) -> str:
    names = [name.strip(" '") for name in expected.replace(" or ", ", ").split(",")]
    text = node.text if isinstance(node, Scalar) else ""
    near = get_close_matches(text, names, 1)
    hint = f"; did you mean {near[0]}?" if near else ""
    given = f"is {text}, but " if text else ""
    return f"{given}must be one of {', '.join(names)}{hint}"


def _in_words_of(node: Node, bound: Any) -> str:  # noqa: ANN401 - a bound of any field
    """A bound in the unit that the value was written in."""
    if not isinstance(node, Scalar) or not isinstance(node.value, str):
        return f"{bound:,}" if isinstance(bound, int) and bound >= 10_000 else str(bound)
    for parse, show in (
        (parse_time_ns, time_text),
        (parse_rate_per_s, rate_text),
        (parse_size_bytes, size_text),
    ):
        try:
            parse(node.value)
        except ValueError:
            continue
        return show(bound)
    return str(bound)


def model_at(path: Path) -> type[BaseModel] | None:
    """The model that describes the mapping at a path; None where there is none."""
    annotation: Any = Scenario
    for part in path:
        if isinstance(part, int):
            annotation = get_args(annotation)[0] if get_args(annotation) else None
            continue
        model = _model(annotation)
        if model is None:
            return None
        found = [
            field.annotation
            for name, field in model.model_fields.items()
            if part in (field.alias, name)
        ]
        if not found:
            return None
        annotation = found[0]
    return _model(annotation)


def _model(annotation: Any) -> type[BaseModel] | None:  # noqa: ANN401 - typing forms have no type
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    if get_origin(annotation) in (Union, types.UnionType):
        models = [_model(member) for member in get_args(annotation)]
        return next((model for model in models if model is not None), None)
    return None


def keys_of(model: type[BaseModel]) -> dict[str, str]:
    """Key and description of each field, in the order of the model."""
    return {
        field.alias or name: field.description or "" for name, field in model.model_fields.items()
    }


def _purpose(path: Path) -> str:
    model = model_at(path[:-1])
    text = keys_of(model).get(str(path[-1]), "") if model else ""
    return f"`{path[-1]}`: {text}" if text else "it"


def _unknown_key(path: Path) -> str:
    key = str(path[-1])
    model = model_at(path[:-1])
    known = list(keys_of(model)) if model else []
    near = get_close_matches(key, known, 1)
    if near:
        return f"is not a key here; did you mean {near[0]}?"
    homes = [
        name
        for name in keys_of(Scenario)
        if (section := model_at((name,))) is not None and key in keys_of(section)
    ]
    if homes:
        return f"is not a key here; it belongs below {' or '.join(homes)}"
    return f"is not a key here; the keys are {', '.join(known)}"
