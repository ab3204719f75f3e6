"""The pinned packages: complete, hashed, and without the name of any host."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parent.parent
FILES = ("requirements.txt", "requirements-dev.txt")


def pins(name: str) -> dict[str, tuple[str, int]]:
    """Package -> (version, number of hashes) of a requirements file."""
    logical = (ROOT / name).read_text().replace("\\\n", " ").splitlines()
    found: dict[str, tuple[str, int]] = {}
    for line in logical:
        if line.strip() and not line.lstrip().startswith("#"):
            match = re.match(r"([A-Za-z0-9._-]+)==(\S+)", line)
            assert match, f"{name}: not an exact pin: {line[:80]}"
            count = len(re.findall(r"--hash=sha256:[0-9a-f]{64}\b", line))
            found[canonicalize_name(match[1])] = (match[2], count)
    return found


@pytest.mark.parametrize("name", FILES)
def test_every_pin_is_hashed(name: str) -> None:
    found = pins(name)
    assert len(found) > 20
    assert [package for package, (_, hashes) in found.items() if hashes == 0] == []


@pytest.mark.parametrize("name", FILES)
def test_no_host_and_no_index_is_named(name: str) -> None:
    text = (ROOT / name).read_text()
    assert "://" not in text
    assert re.findall(r"--(?!hash=)[a-z-]+", text) == []
    assert re.findall(r"\b[a-z0-9-]+\.(?:org|com|net|io|dev|local)\b", text) == []


@pytest.mark.parametrize(("name", "extra"), [(FILES[0], None), (FILES[1], "dev")])
def test_pins_satisfy_what_the_project_asks_for(name: str, extra: str | None) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    wanted = project["project"]["dependencies"] + project["build-system"]["requires"]
    if extra:
        wanted = wanted + project["project"]["optional-dependencies"][extra]
    found = pins(name)
    for requirement in map(Requirement, wanted):
        package = canonicalize_name(requirement.name)
        assert package in found, f"{package} is not pinned; run make pins"
        assert requirement.specifier.contains(found[package][0]), "run make pins"


def test_developers_get_the_same_versions_as_users() -> None:
    base, dev = pins(FILES[0]), pins(FILES[1])
    assert {name: dev.get(name) for name in base} == base
