"""The pages for people: short where promised, and nothing they name is missing."""

from __future__ import annotations

import re
from pathlib import Path
from typing import get_args

import pytest

from simulator.cli import VERBS
from simulator.scenario.care import PolicyName

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
PAGES = [ROOT / "README.md", ROOT / "results" / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def test_the_readme_is_short() -> None:
    assert len(README.splitlines()) < 150


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_file_a_page_names_exists(page: Path) -> None:
    text = page.read_text()
    named = re.findall(r"\]\(([^)#:]+)\)", text)
    named_by_path = re.findall(r"\b(?:scenarios|docs|simulator|tests)/[\w/.-]*[\w/]", text)
    for name in named:
        assert (page.parent / name).exists(), name
    for name in named_by_path:
        assert (ROOT / name).exists(), name


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_verb_a_page_names_exists(page: Path) -> None:
    for verb in re.findall(r"`portchurn ([a-z]+)", page.read_text()):
        assert verb in VERBS


def test_every_scenario_stands_on_the_page_of_scenarios() -> None:
    page = (ROOT / "docs" / "scenarios.md").read_text()
    for scenario in sorted((ROOT / "scenarios").glob("*.yaml")):
        assert f"(../scenarios/{scenario.name})" in page


def test_the_table_of_policies_has_every_policy_and_one_command_makes_it() -> None:
    page = (ROOT / "docs" / "policies-under-churn.md").read_text()
    recipe = (ROOT / "Makefile").read_text()
    for policy in get_args(PolicyName):
        assert re.search(rf"^\| {policy}(-\d+)? \|", page, re.MULTILINE), policy
        assert re.search(rf"[ \t.]{policy}\b", recipe), policy
