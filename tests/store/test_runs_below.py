"""What a name means: one run, or the runs of a series, oldest first."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from simulator.errors import UsageError
from simulator.store.runs_below import runs_of
from tests.support.stored import aborted, change_manifest, complete

if TYPE_CHECKING:
    from pathlib import Path

ELSEWHERE = "no-such-results"


def test_a_run_is_named_by_its_id_or_its_folder(tmp_path: Path) -> None:
    folder = complete(tmp_path)
    for name in (folder.name, str(folder)):
        assert [one.path for one in runs_of(tmp_path, name)] == [folder]


@pytest.mark.parametrize("below", ["", "by-hand"])
def test_a_folder_names_all_its_runs_oldest_first(tmp_path: Path, below: str) -> None:
    late = complete(tmp_path, started="2026-01-02T12:00:00+00:00")
    early = complete(tmp_path, started="2026-01-01T12:00:00+00:00")
    broken = aborted(tmp_path)
    (tmp_path / "by-hand" / "20260101-000000-abcd").symlink_to(early)
    found = runs_of(tmp_path / ELSEWHERE, str(tmp_path / below))
    assert [one.path for one in found] == [early, late, broken]
    assert [one.status for one in found] == ["complete", "complete", "aborted"]


def test_a_damaged_run_is_no_part_of_a_series(tmp_path: Path) -> None:
    kept, damaged = complete(tmp_path), complete(tmp_path)
    (damaged / "manifest.json").write_text("{")
    assert [one.path for one in runs_of(tmp_path, str(tmp_path))] == [kept]
    (kept / "manifest.json").write_text("{")
    with pytest.raises(UsageError, match="no run that can be read"):
        runs_of(tmp_path, str(tmp_path))


def test_several_variants_are_no_series_until_one_is_chosen(tmp_path: Path) -> None:
    folders = {name: complete(tmp_path) for name in ("early", "late")}
    for name, folder in folders.items():
        change_manifest(folder, variant=name)
    with pytest.raises(UsageError, match=r"several variants \(early, late\); choose --variant"):
        runs_of(tmp_path, str(tmp_path))
    assert [one.path for one in runs_of(tmp_path, str(tmp_path), "late")] == [folders["late"]]
    with pytest.raises(UsageError, match="no run of a variant other"):
        runs_of(tmp_path, str(tmp_path), "other")


def test_several_scenarios_are_no_series(tmp_path: Path) -> None:
    folder = complete(tmp_path)
    complete(tmp_path)
    (tmp_path / "other").mkdir()
    folder.rename(tmp_path / "other" / folder.name)
    with pytest.raises(UsageError, match=r"several scenarios \(by-hand, other\)"):
        runs_of(tmp_path, str(tmp_path))


def test_an_unknown_name_is_answered_with_the_nearest(tmp_path: Path) -> None:
    complete(tmp_path)
    with pytest.raises(UsageError, match="did you mean by-hand"):
        runs_of(tmp_path, "by-hnd")
