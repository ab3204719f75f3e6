"""Names of runs: safe for any text, different for different texts, and never through a link."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import pytest

from simulator.errors import Refused
from simulator.slugs import LATEST
from simulator.store import layout
from simulator.store.layout import (
    is_run_id,
    make_folder,
    new_run_id,
    point_latest,
    prepare_root,
)

if TYPE_CHECKING:
    from pathlib import Path

MOMENT = dt.datetime(2026, 3, 4, 5, 6, 7, tzinfo=dt.UTC)


def test_a_run_id_sorts_by_time_and_holds_its_variant() -> None:
    first = new_run_id(MOMENT, "")
    later = new_run_id(MOMENT + dt.timedelta(seconds=1), "Many Tuples")
    assert first.startswith("20260304-050607-")
    assert later.startswith("20260304-050608-many-tuples-")
    assert is_run_id(first)
    assert is_run_id(later)
    assert first < later


def test_a_run_id_that_is_taken_is_drawn_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn = iter(["taken", "taken", "free"])
    monkeypatch.setattr(layout, "new_run_id", lambda _started, _variant: next(drawn))
    (tmp_path / "taken").mkdir()
    assert layout.make_run_folder(tmp_path, MOMENT, "") == tmp_path / "free"
    assert (tmp_path / "free").is_dir()


@pytest.mark.parametrize("name", ["", "..", "20260304-050607", "20260304-050607-XYZW", "latest"])
def test_what_is_no_run_id_is_told_apart(name: str) -> None:
    assert not is_run_id(name)


def test_a_root_is_made_with_its_parents(tmp_path: Path) -> None:
    prepare_root(tmp_path / "a" / "b")
    assert (tmp_path / "a" / "b").is_dir()
    prepare_root(tmp_path / "a" / "b")  # and one that exists is taken as it is


def test_a_root_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "results").write_text("mine")
    with pytest.raises(Refused, match="is not a folder"):
        prepare_root(tmp_path / "results")
    with pytest.raises(Refused, match="cannot be made"):
        prepare_root(tmp_path / "results" / "below")


def test_a_linked_root_is_refused_even_when_it_leads_to_a_folder(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "results").symlink_to("elsewhere")
    with pytest.raises(Refused, match="symbolic link"):
        prepare_root(tmp_path / "results")
    with pytest.raises(Refused, match="symbolic link"):
        make_folder(tmp_path / "results", exist_ok=True)


def test_a_root_where_nothing_can_be_made_is_refused() -> None:
    from pathlib import Path

    with pytest.raises(Refused, match="cannot be made"):
        prepare_root(Path("/proc/portchurn-results"))  # procfs takes no folders, not even root's


def test_a_run_folder_is_never_shared(tmp_path: Path) -> None:
    make_folder(tmp_path / "run", exist_ok=False)
    with pytest.raises(Refused, match="exists"):
        make_folder(tmp_path / "run", exist_ok=False)
    with pytest.raises(Refused, match="missing"):
        make_folder(tmp_path / "gone" / "run", exist_ok=False)


def test_latest_is_a_relative_link_that_moves_to_the_newest(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / "s" / name).mkdir(parents=True)
        point_latest(tmp_path, tmp_path / "s" / name)
        assert str((tmp_path / LATEST).readlink()) == f"s/{name}"
    assert sorted(path.name for path in tmp_path.iterdir()) == [LATEST, "s"]


def test_latest_never_replaces_what_is_no_link(tmp_path: Path) -> None:
    (tmp_path / LATEST).mkdir()
    (tmp_path / "s").mkdir()
    with pytest.raises(Refused, match="in the way"):
        point_latest(tmp_path, tmp_path / "s")
    assert (tmp_path / LATEST).is_dir()
