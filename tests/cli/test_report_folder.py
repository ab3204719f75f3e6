"""`portchurn report` on folders that are no run: benches, kinds of benches, scenarios."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from simulator.cli.report import command
from simulator.cli.report_folder import page_of_folder
from simulator.errors import UsageError
from tests.support.benched import ladder, peers
from tests.support.pages import stored_run
from tests.support.stored import change_manifest

if TYPE_CHECKING:
    from pathlib import Path


def test_a_bench_gets_its_page_by_its_folder_its_kind_or_its_name(tmp_path: Path) -> None:
    folder = ladder(tmp_path)
    newest = ladder(tmp_path).rename(folder.with_name("99990101-000000-abcd"))
    assert page_of_folder(str(folder), tmp_path, shared=True) == folder / "report.html"
    assert page_of_folder(str(folder.parent), tmp_path, shared=True) == newest / "report.html"
    assert page_of_folder("bench-scale", tmp_path, shared=True) == newest / "report.html"


def test_a_scenario_folder_gets_the_page_of_its_variants(tmp_path: Path) -> None:
    folders = [stored_run(tmp_path) for _ in range(2)]
    with pytest.raises(UsageError, match="two variants"):
        page_of_folder(str(folders[0].parent), tmp_path, shared=True)
    for folder, name in zip(folders, "ab", strict=True):
        change_manifest(folder, variant=name)
    done = CliRunner().invoke(command, [str(folders[0].parent), "--shared-assets"])
    assert done.exit_code == 0, done.output
    assert done.stdout.strip() == str(folders[0].parent / "variants.html")


def test_a_run_and_what_does_not_exist_are_neither(tmp_path: Path) -> None:
    folder = stored_run(tmp_path)
    for name in (str(folder), folder.name, folder.parent.name, "latest", "absent", "absent/run"):
        assert page_of_folder(name, tmp_path, shared=True) is None
    assert page_of_folder(str(peers(tmp_path)), tmp_path, shared=True) is not None
