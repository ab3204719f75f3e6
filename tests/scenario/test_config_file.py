"""A balancer's configuration of the user's own: bounded, with its placeholders, and tame."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from simulator.errors import ScenarioError
from simulator.scenario.config_file import MAX_CONFIG_BYTES, NEEDED, check_config
from simulator.scenario.load import load_file
from tests.support.scenarios import SMALL, complaints

if TYPE_CHECKING:
    from pathlib import Path

GOOD = {driver: "\n".join(names) for driver, names in NEEDED.items()}


def load(folder: Path, text: str, name: str = "my.cfg", driver: str = "haproxy") -> str:
    (folder / "my.cfg").write_text(text)
    scenario = folder / "asked.yaml"
    scenario.write_text(SMALL + f"balancer: {{driver: {driver}, config: {name}}}\n")
    return load_file(scenario).configs[name]


def test_it_is_read_from_below_the_scenarios_folder(tmp_path: Path) -> None:
    assert load(tmp_path, GOOD["haproxy"]) == GOOD["haproxy"]


@pytest.mark.parametrize("driver", NEEDED)
def test_a_placeholder_that_is_missing_is_named(driver: str) -> None:
    check_config(GOOD[driver], "my.cfg", driver)
    for name in NEEDED[driver]:
        with pytest.raises(ScenarioError, match=name):
            check_config(GOOD[driver].replace(name, ""), "my.cfg", driver)


@pytest.mark.parametrize(
    ("driver", "line"),
    [
        ("haproxy", "program shell"),
        ("haproxy", "    lua-load /tmp/x.lua"),
        ("haproxy", "  option external-check"),
        ("haproxy", '"external-check" command /bin/sh'),
        ("haproxy", "pro\\gram shell"),
        ("haproxy", "user root"),
        ("nginx", "load_module /tmp/x.so;"),
        ("nginx", "events {} include /etc/passwd;"),
        ("nginx", "'load_module' /tmp/x.so;"),
        ("nginx", "user root;"),
    ],
)
def test_what_starts_programs_or_loads_code_is_refused_with_its_line(
    driver: str, line: str
) -> None:
    with pytest.raises(ScenarioError, match=r"my\.cfg:4: .* is not allowed"):
        check_config(f"{GOOD[driver]}\n{line}\n", "my.cfg", driver)


def test_its_size_is_bounded_and_no_link_is_followed(tmp_path: Path) -> None:
    with pytest.raises(ScenarioError, match="is larger than 256 KiB"):
        load(tmp_path, "x" * (MAX_CONFIG_BYTES + 1))
    (tmp_path / "link.cfg").symlink_to("/etc/hostname")
    with pytest.raises(ScenarioError, match=r"link\.cfg: cannot be read"):
        load(tmp_path, "", name="link.cfg")


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        (["balancer.config=../my.cfg", "balancer.driver=nginx"], "below the scenario's folder"),
        (["balancer.config=/etc/passwd", "balancer.driver=nginx"], "below the scenario's folder"),
        (["balancer.config=my.cfg"], "is not used with driver: own"),
    ],
)
def test_a_name_that_leads_elsewhere_or_nowhere_is_refused(
    overrides: list[str], words: str
) -> None:
    (found,) = complaints(SMALL, *overrides)
    assert found.path == "balancer.config"
    assert words in found.message
