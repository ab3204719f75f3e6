"""The shape of the house: each source file has its test file, says what it is for, stays short."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SOURCES = sorted((ROOT / "simulator").rglob("*.py"))
LONGEST = 600
DRAWERS = {"utils", "helpers", "common", "misc", "constants", "types", "manager", "managers"}

#: Source files without a test file of their own. This list only gets shorter: a file that has
#: its test may not stand here, so writing the test means taking the line out.
UNTESTED: dict[str, str] = {
    "__main__.py": "two lines; every test of the command line goes through it",
    "engine.py": "protocols and values without behaviour; mypy is their test",
}


def mirror_of(source: Path) -> list[Path]:
    """Where the tests of a source file stand: the mirror of its path."""
    inner = source.relative_to(ROOT / "simulator")
    if inner.name == "__init__.py":
        name = inner.parent.name or "package"
        return [ROOT / "tests" / inner.parent / f"test_{name}.py"]
    return [ROOT / "tests" / inner.parent / f"test_{inner.name}"]


def has_code(source: Path) -> bool:
    """Whether a file holds more than a docstring."""
    return len(ast.parse(source.read_text()).body) > 1


def test_each_source_file_has_its_test_file() -> None:
    missing = []
    for source in SOURCES:
        inner = str(source.relative_to(ROOT / "simulator"))
        if source.name == "__init__.py" and inner != "cli/__init__.py":
            continue  # holds a docstring or a version, seen to below
        if inner not in UNTESTED and not any(path.is_file() for path in mirror_of(source)):
            wanted = mirror_of(source)[0].relative_to(ROOT)
            missing.append(f"{inner} has no test file; write {wanted}")
    assert not missing, "\n".join(missing)


@pytest.mark.parametrize("inner", UNTESTED)
def test_the_list_of_untested_files_only_gets_shorter(inner: str) -> None:
    source = ROOT / "simulator" / inner
    assert source.is_file(), f"{inner} is gone; take it out of UNTESTED"
    written = [path for path in mirror_of(source) if path.exists()]
    assert not written, f"{inner} has its test now; take it out of UNTESTED"


def test_each_test_file_mirrors_a_source_file_or_stands_in_a_known_folder() -> None:
    known = {"system", "support", "theory_checks", "agreement", "data"}
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        inner = path.relative_to(ROOT / "tests")
        if len(inner.parts) == 1 or inner.parts[0] in known:
            continue
        room = ROOT / "simulator" / inner.parent
        assert room.is_dir(), f"{inner}: there is no simulator/{inner.parent}"


def test_package_files_hold_no_code() -> None:
    for source in SOURCES:
        inner = str(source.relative_to(ROOT / "simulator"))
        if source.name == "__init__.py" and inner not in {"__init__.py", "cli/__init__.py"}:
            assert not has_code(source), f"{inner} holds code; give it a file with a name"


def test_files_say_what_they_are_for_and_stay_short() -> None:
    found = []
    for source in [*SOURCES, *sorted((ROOT / "tests").rglob("*.py"))]:
        name, text = source.relative_to(ROOT), source.read_text()
        if len(text.splitlines()) > LONGEST:
            found.append(f"{name} is longer than {LONGEST} lines; cut it by subject")
        if text.strip() and not ast.get_docstring(ast.parse(text)):
            found.append(f"{name} has no docstring saying what it is for")
        if source.stem in DRAWERS:
            found.append(f"{name} is a drawer; name the file for what is in it")
    assert not found, "\n".join(found)
