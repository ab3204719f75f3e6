"""A balancer's configuration of the user's own, read from below the scenario's folder.

It is text for a program of others, so it is bounded, opened without following links, must have the
placeholders that a run cannot do without, and must not make the program start another or load code.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Final

from pydantic import AfterValidator, WithJsonSchema

from simulator.errors import ScenarioError
from simulator.scenario.complaint import printable
from simulator.scenario.trace_file import read_below

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from simulator.scenario.schema import Scenario

MAX_CONFIG_BYTES: Final = 256 << 10
_PART: Final = "[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}"
_NAME: Final = rf"^{_PART}(/{_PART}){{0,7}}$"
#: Placeholders that a run cannot do without, by driver.
NEEDED: Final[Mapping[str, tuple[str, ...]]] = {
    "haproxy": ("@FRONT@", "@STATS@", "@SERVERS@"),
    "nginx": ("@MAIN@", "@FRONT@", "@SERVERS@"),
}
#: Directives that start programs, load code, or leave the run's ground.
_FORBIDDEN: Final[Mapping[str, re.Pattern[str]]] = {
    "haproxy": re.compile(
        r"^\s*(program|lua-\S+|external-check|option\s+external-check|insecure-\S+|daemon|"
        r"master-worker|chroot|user|group|uid|gid|setenv|presetenv)\b",
        re.MULTILINE,
    ),
    "nginx": re.compile(
        r"(?:^|[;{}])\s*(load_module|include|user|daemon|master_process|perl\S*|js_\S+|"
        r"working_directory|env)\b",
        re.MULTILINE,
    ),
}


def _config_name(text: str) -> str:
    if not re.fullmatch(_NAME, text):
        raise ValueError(
            "is no file below the scenario's folder; write names of letters, digits, _ - and . "
            "joined by slashes, such as balancer/haproxy.cfg"
        )
    return text


ConfigName = Annotated[
    str, AfterValidator(_config_name), WithJsonSchema({"type": "string", "pattern": _NAME})
]


def read_configs(folder: Path, scenarios: Sequence[Scenario]) -> dict[str, str]:
    """Every configuration that some scenarios name, by its name.

    Args:
        folder: the folder of the scenario file.
        scenarios: the base and its variants.

    Raises:
        ScenarioError: one cannot be read, lacks a placeholder, or has what is forbidden.
    """
    found: dict[str, str] = {}
    for balancer in (scenario.balancer for scenario in scenarios):
        if balancer.config is None:
            continue
        if balancer.config not in found:
            text = read_below(folder, balancer.config, MAX_CONFIG_BYTES, "configuration")
            found[balancer.config] = text
        check_config(found[balancer.config], balancer.config, balancer.driver)
    return found


def check_config(text: str, name: str, driver: str) -> None:
    """See that a configuration can be a run's.

    Raises:
        ScenarioError: it cannot; the line is named.
    """
    for placeholder in NEEDED[driver]:
        if placeholder not in text:
            raise ScenarioError(
                f"{printable(name)}: has no {placeholder}, which a run of {driver} needs; "
                "docs/drivers.md has an example"
            )
    # Both programs take a directive in quotes or with escapes for the same word.
    plain = re.sub(r"[\"'\\]", "", text)
    match = _FORBIDDEN[driver].search(plain)
    if match:
        line = plain.count("\n", 0, match.start(1)) + 1
        word = printable(match[1][:40])
        raise ScenarioError(f"{printable(name)}:{line}: {word} is not allowed in a scenario's run")
