"""The reference of scenario files, written from the models: `docs/scenario.md`.

    python -m simulator.scenario.reference > docs/scenario.md

A test fails when the file and the models part.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, Final

import annotated_types

from simulator.scenario.arrivals import Arrivals, Bursts, Rate, Sine, Step
from simulator.scenario.backends import Backends
from simulator.scenario.balancer import Balancer, Policy
from simulator.scenario.care import Ejection, HealthChecks, Queue, RetryBudget
from simulator.scenario.churn import Churn, Departure, ScaleStep
from simulator.scenario.distributions import Bimodal, Duration, Lognormal, Pareto
from simulator.scenario.document import (
    MAX_BYTES,
    MAX_DEPTH,
    MAX_LINES,
    MAX_NODES,
    MAX_SCALAR,
)
from simulator.scenario.faults import Faults, Stream
from simulator.scenario.fields import (
    MAX_DURATION_NS,
    RATE_JSON,
    SIZE_JSON,
    TIME_JSON,
    Mapping,
    rate_text,
    size_text,
    time_text,
)
from simulator.scenario.flapping import Flapping
from simulator.scenario.json_schema import scenario_json_schema
from simulator.scenario.nat import Nat
from simulator.scenario.phases import Hold, Phase
from simulator.scenario.requests import RequestRange, Requests
from simulator.scenario.resolver import Forger, Pool, Resolver, Zone
from simulator.scenario.schema import Clients, Kernel, Sampling, Scenario
from simulator.scenario.sidecar import Sidecar
from simulator.scenario.source import Source
from simulator.scenario.sysctls import ALLOWED_SYSCTLS
from simulator.scenario.thresholds import VERDICTS, known_metrics
from simulator.scenario.turns import Retry, Users

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pydantic.fields import FieldInfo

#: In the order a reader meets them.
_SECTIONS: Final[tuple[tuple[type[Mapping], str], ...]] = (
    (Kernel, "kernel"),
    (Backends, "backends"),
    (Faults, "faults"),
    (Stream, "stream"),
    (Flapping, "flapping"),
    (Zone, "zone"),
    (Churn, "churn"),
    (Departure, "at"),
    (ScaleStep, "scale"),
    (Balancer, "balancer"),
    (Policy, "policy"),
    (HealthChecks, "health_checks"),
    (Ejection, "ejection"),
    (Queue, "queue"),
    (RetryBudget, "retry_budget"),
    (Resolver, "resolver"),
    (Pool, "pool"),
    (Forger, "forger"),
    (Sidecar, "sidecar"),
    (Nat, "nat"),
    (Clients, "clients"),
    (Source, "source"),
    (Phase, "traffic"),
    (Arrivals, "arrivals"),
    (Rate, "rate"),
    (Step, "steps"),
    (Bursts, "bursts"),
    (Sine, "sine"),
    (Hold, "hold"),
    (Users, "users"),
    (Retry, "retry"),
    (Requests, "requests"),
    (RequestRange, "uniform"),
    (Duration, "duration"),
    (Lognormal, "lognormal"),
    (Pareto, "pareto"),
    (Bimodal, "bimodal"),
    (Sampling, "sampling"),
)
_TITLES: Final = {model.__name__: title for model, title in _SECTIONS} | {"ClientSource": "source"}
_PATTERNS: Final = {
    TIME_JSON: ("time", time_text),
    RATE_JSON: ("rate", rate_text),
    SIZE_JSON: ("size", size_text),
}
_HEAD: Final = """\
# Scenario files

<!-- Written by `python -m simulator.scenario.reference > docs/scenario.md`; do not edit. -->

A scenario file is YAML 1.2 and asks one question. `portchurn new FILE` writes one to start from,
`portchurn validate FILE` checks it and names every error with its place, `portchurn explain FILE`
says what it would create, need and hit, and `portchurn run FILE` runs it. For completion in an
editor, save `portchurn schema` to a file and name that on the first line:

```yaml
# yaml-language-server: $schema=portchurn.schema.json
```

## How values are written

| kind | examples | note |
|---|---|---|
| time | `250us`, `500ms`, `2s`, `1.5min`, `1h` | always with a unit, at most 1h |
| rate | `2000/s`, `30/min` | always with a unit, at most 1000000/s |
| size | `64B`, `16KiB`, `1MB` | always with a unit, at most 1GiB |
| ports | `49152-65535` | first and last, both included |
| number | `4` | decimal, no leading 0 |

Values are typed by the core schema of YAML 1.2: `true` and `false` are the only booleans, `no` and
`12:30` are text. Unknown keys, keys without a value, keys that stand twice, tags, anchors, aliases,
merge keys and a second document are errors.
"""


def reference() -> Iterator[str]:
    """The lines of `docs/scenario.md`."""
    yield _HEAD
    yield (
        f"A file has at most {MAX_BYTES // 1024} KiB, {MAX_LINES:,} lines and {MAX_NODES:,} keys "
        f"and values, and nests\n{MAX_DEPTH} deep at most; no value but `expect` is longer than "
        f"{MAX_SCALAR:,} characters.\n"
    )
    yield from _overrides()
    schema = scenario_json_schema()
    yield "## The whole file\n"
    yield from _table(Scenario, schema)
    for model, title in _SECTIONS:
        yield f"## {title}\n"
        yield f"{(model.__doc__ or '').strip()}\n"
        part = schema["$defs"][model.__name__]
        yield from _table(model, part)
    yield from _sysctls()
    yield from _thresholds()


def _overrides() -> Iterator[str]:
    yield "## Other values: variants and `--set`\n"
    yield (
        "A path is keys joined by dots; an entry of `traffic` goes by its number from 0 or by its\n"
        "name: `backends.count`, `traffic.0.for`, `traffic.ramp.arrivals.poisson`. What follows\n"
        "`sysctls` is one key, dots and all. Setting one of several keys that exclude each other\n"
        "(`constant`, `exponential`, `lognormal`, `pareto`, `bimodal`; `constant`, `poisson`,\n"
        "`trace`; `from`, `steps`, `bursts`, `sine`; `constant`, `geometric`, `uniform`;\n"
        "`arrivals`, `hold`, `users`) takes the others away.\n"
        "\n"
        "```yaml\n"
        "variants:\n"
        "  client closes: {balancer.close: client}\n"
        "  backend closes: {balancer.close: backend}\n"
        "```\n"
        "\n"
        "When a file has variants, each is run, and the scenario without changes is not. Highest\n"
        "first: `--seed`, the last `--set`, earlier ones, the variant, the file, the default.\n"
    )


def _table(model: type[Mapping], part: dict[str, Any]) -> Iterator[str]:
    """Key, value, default and meaning of each field."""
    properties = part.get("properties")
    if properties is None:  # a mapping with a short form: the long one has the keys
        properties = next(one["properties"] for one in part["anyOf"] if "properties" in one)
    yield "| key | value | default | meaning |"
    yield "|---|---|---|---|"
    for name, field in model.model_fields.items():
        key = field.alias or name
        value = _value(properties[key], field)
        meaning = (field.description or "").replace("|", "\\|")
        yield f"| `{key}` | {value} | {_default(field)} | {meaning} |"
    yield ""


def _value(node: dict[str, Any], field: FieldInfo | None = None) -> str:
    """What may be written, from the JSON Schema and the bounds of the field."""
    if "$ref" in node:
        title = _TITLES[node["$ref"].rsplit("/", 1)[-1]]
        return f"[{title}](#{title})"
    if "enum" in node or "const" in node:
        return ", ".join(f"`{one}`" for one in node.get("enum", [node.get("const")]))
    if node.get("type") == "array":
        return f"list of {_value(node['items'])}"
    if "anyOf" in node:
        return " or ".join(_value(one) for one in node["anyOf"])
    if node["type"] == "string":
        return _text(node.get("pattern", ""), field)
    if node["type"] == "integer":
        return _number(node.get("minimum", 0), node.get("maximum"))
    if node["type"] == "number":
        above = f"above {node['exclusiveMinimum']:g}" if "exclusiveMinimum" in node else ""
        least = above or f"from {node.get('minimum', 0):g}"
        return f"number {least}, at most {node['maximum']:g}"
    return "`true`, `false`" if node["type"] == "boolean" else "mapping"


def _text(pattern: str, field: FieldInfo | None) -> str:
    if pattern in _PATTERNS:
        kind, show = _PATTERNS[pattern]
        return kind + _bounds(field, show)
    return "ports" if "[0-9]{1,6}" in pattern else "text"


def _number(least: int, most: int | None) -> str:
    if most is None:
        return f"number from {least}" if least else "number"
    return f"number, {least:,} to {most:,}"


def _bounds(field: FieldInfo | None, show: Any) -> str:  # noqa: ANN401 - one of three functions
    """Bounds that are narrower than those of every such value."""
    words = []
    for one in field.metadata if field else []:
        if isinstance(one, annotated_types.Ge) and one.ge != 0:
            words.append(f"at least {show(one.ge)}")
        elif isinstance(one, annotated_types.Gt) and show is not rate_text:
            words.append("not 0")
        elif isinstance(one, annotated_types.Le) and one.le not in (MAX_DURATION_NS, 1 << 30):
            words += [f"at most {show(one.le)}"] if show is not rate_text else []
    return f", {', '.join(words)}" if words else ""


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "**required**"
    default = field.get_default(call_default_factory=True, validated_data={})
    if isinstance(default, Mapping):
        given = default.model_dump(mode="json", by_alias=True, exclude_unset=True)
        if list(given) == ["name"]:
            return f"`{given['name']}`"
        return f"`{{{', '.join(f'{key}: {value}' for key, value in given.items())}}}`" * bool(given)
    if default is None or default in ((), {}, ""):
        return ""
    return f"`{str(default).lower() if isinstance(default, bool) else default}`"


def _sysctls() -> Iterator[str]:
    yield "## sysctls\n"
    yield "Settings of the network namespace that `kernel.sysctls` may change; no others.\n"
    yield "| name | least | most | what it does |"
    yield "|---|---|---|---|"
    for name, (low, high, text) in ALLOWED_SYSCTLS.items():
        if name != "net.core.somaxconn":
            yield f"| `{name}` | {low} | {high} | {text} |"
    yield ""


def _thresholds() -> Iterator[str]:
    yield "## thresholds\n"
    yield (
        "A condition is a metric, one of `<`, `<=`, `==`, `!=`, `>=`, `>`, and a bound in the\n"
        'metric\'s own unit: `"connect.p99 < 5ms"`, `"rate.ok > 990/s"`, `"failed == 0"`,\n'
        '`"verdict == ok"`, `"errors.balancer-backend/connect/EADDRNOTAVAIL >= 1"`.\n'
    )
    yield f"Metrics: {', '.join(f'`{name}`' for name in known_metrics())}, and"
    yield "`errors.HOP/CALL/ERRNO`.\n"
    yield f"Verdicts: {', '.join(f'`{name}`' for name in VERDICTS)}."


if __name__ == "__main__":
    sys.stdout.write("\n".join(reference()) + "\n")
