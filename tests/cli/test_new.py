"""`portchurn new` writes a file that is valid, explained, and never over another one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from simulator.cli.new import START
from tests.support.command import portchurn

if TYPE_CHECKING:
    from pathlib import Path


def test_the_new_file_is_valid_and_meets_its_own_expectation(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    made = portchurn("new", file)
    assert (made.code, made.out) == (0, f"Wrote {file}. Next: portchurn run {file}\n")
    assert file.read_text() == START
    assert portchurn("validate", file).code == 0
    explained = portchurn("explain", file)
    assert explained.code == 0
    assert "1,000 ports / (500ms TIME_WAIT" in explained.out
    assert "so it runs out after" in explained.out


def test_it_never_writes_over_a_file_nor_through_a_link(tmp_path: Path) -> None:
    file, link = tmp_path / "mine.yaml", tmp_path / "link.yaml"
    file.write_text("precious")
    link.symlink_to(tmp_path / "elsewhere")
    for taken in (file, link):
        done = portchurn("new", taken)
        assert done.code == 2
        assert "exists already" in done.err
    assert file.read_text() == "precious"
    assert not (tmp_path / "elsewhere").exists()


def test_a_place_that_is_not_there_is_said(tmp_path: Path) -> None:
    done = portchurn("new", tmp_path / "no" / "such" / "folder.yaml")
    assert done.code == 2
    assert "cannot be written: No such file or directory" in done.err
