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


@pytest.mark.parametrize("source", SOURCES, ids=lambda p: str(p.relative_to(ROOT)))
def test_each_source_file_has_its_test_file(source: Path) -> None:
    inner = str(source.relative_to(ROOT / "simulator"))
    if source.name == "__init__.py" and inner != "cli/__init__.py":
        return  # holds a docstring or a version, seen to below
    if inner in UNTESTED:
        return
    assert any(path.is_file() for path in mirror_of(source)), (
        f"{inner} has no test file; write {mirror_of(source)[0].relative_to(ROOT)}"
    )


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


@pytest.mark.parametrize(
    "source",
    [*SOURCES, *sorted((ROOT / "tests").rglob("*.py"))],
    ids=lambda p: str(p.relative_to(ROOT)),
)
def test_files_say_what_they_are_for_and_stay_short(source: Path) -> None:
    text = source.read_text()
    assert len(text.splitlines()) <= LONGEST, f"longer than {LONGEST} lines; cut it by subject"
    if text.strip():
        assert ast.get_docstring(ast.parse(text)), "has no docstring saying what it is for"
    assert source.stem not in DRAWERS, "a drawer; name the file for what is in it"
