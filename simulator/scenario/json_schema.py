"""The JSON Schema of scenario files, for editors and other tools.

It comes from the models; what the models say in code (short forms, exactly one of, lists of names)
is added here where JSON Schema has words for it. Bounds on times, rates and sizes, and rules that
compare two keys, it cannot say: a file that passes may still be refused by `validate`.
"""

from __future__ import annotations

from typing import Any, Final

from simulator.scenario.fields import RATE_JSON, TIME_JSON
from simulator.scenario.schema import Scenario
from simulator.scenario.sysctls import ALLOWED_SYSCTLS

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
_CONDITION: Final = r"^\s*[A-Za-z][A-Za-z0-9_./-]*\s*(<=|>=|==|!=|<|>)\s*.+$"
Schema = dict[str, Any]


def scenario_json_schema() -> Schema:
    """The schema as plain dicts and lists; the same for every call."""
    schema: Schema = Scenario.model_json_schema(by_alias=True)
    schema = {"$schema": DIALECT, **_without_null(schema)}
    parts: Schema = schema["$defs"]
    for name, pattern in (("Duration", TIME_JSON), ("Rate", RATE_JSON)):
        parts[name] = _short({"type": "string", "pattern": pattern}, parts[name])
    for written in (parts["Duration"]["anyOf"][1], parts["Arrivals"]):
        written |= {"minProperties": 1, "maxProperties": 1}
    parts["Rate"]["anyOf"][1]["oneOf"] = [
        {"required": ["from", "to"]},
        *({"required": [shape]} for shape in ("steps", "bursts", "sine")),
    ]
    parts["Rate"]["anyOf"][1]["dependentRequired"] = {"from": ["to"], "to": ["from"]}
    number = parts["Requests"]["properties"]["constant"]
    parts["Requests"] = _short({"type": "integer", **_bounds(number)}, parts["Requests"])
    parts["Requests"]["anyOf"][1] |= {"minProperties": 1, "maxProperties": 1}
    parts["Policy"] = _policy(parts["Policy"])
    parts["Phase"]["oneOf"] = [{"required": [kind]} for kind in ("arrivals", "hold", "users")]
    sysctls = parts["Kernel"]["properties"]["sysctls"]
    sysctls["properties"] = {
        name: {"type": "integer", "minimum": low, "maximum": high, "description": text}
        for name, (low, high, text) in ALLOWED_SYSCTLS.items()
        if name != "net.core.somaxconn"  # it has a key of its own
    }
    sysctls["additionalProperties"] = False
    schema["properties"]["thresholds"]["items"]["pattern"] = _CONDITION
    return schema


def _short(short: Schema, written: Schema) -> Schema:
    """A mapping that also has a short form; its description stays on top, where editors look."""
    description = written.pop("description", "")
    return {"description": description, "anyOf": [short, written]}


def _bounds(number: Schema) -> Schema:
    return {key: number[key] for key in ("minimum", "maximum")}


def _policy(written: Schema) -> Schema:
    properties = written["properties"]
    names = {"type": "string", "enum": properties["name"]["enum"]}
    alone = {
        "type": "object",
        "properties": {"choices": properties["choices"]},
        "required": ["choices"],
        "additionalProperties": False,
    }
    # Only the rule `choices` uses the number; 2 is what the others leave it at.
    written["anyOf"] = [
        {"properties": {"name": {"const": "choices"}}},
        {"properties": {"choices": {"const": 2}}},
    ]
    schema = _short(names, written)
    schema["anyOf"].append(alone)
    return schema


def _without_null(node: Any) -> Any:  # noqa: ANN401 - any part of a schema
    """An optional key is left out of a file, never given as null."""
    if isinstance(node, list):
        return [_without_null(item) for item in node]
    if not isinstance(node, dict):
        return node
    kept = {
        key: _without_null(value)
        for key, value in node.items()
        if not (key == "default" and value is None)
    }
    choices = kept.get("anyOf")
    if isinstance(choices, list) and {"type": "null"} in choices:
        choices = [choice for choice in choices if choice != {"type": "null"}]
        del kept["anyOf"]
        kept = {**(choices[0] if len(choices) == 1 else {"anyOf": choices}), **kept}
    return kept
