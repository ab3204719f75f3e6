"""A page is written whole, and not through somebody's link."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from simulator.report.page.writing import write_whole

if TYPE_CHECKING:
    from pathlib import Path


def test_a_link_in_the_way_is_replaced_and_not_followed(tmp_path: Path) -> None:
    target = tmp_path / "precious"
    target.write_text("mine")
    page = tmp_path / "report.html"
    page.symlink_to(target)
    write_whole(page, "page")
    assert page.read_text() == "page"
    assert not page.is_symlink()
    assert target.read_text() == "mine"


def test_what_cannot_be_written_leaves_nothing(tmp_path: Path) -> None:
    page = tmp_path / "report.html"
    page.mkdir()
    with pytest.raises(OSError, match="directory"):
        write_whole(page, "page")
    assert list(tmp_path.iterdir()) == [page]
