"""`portchurn report` as a user calls it."""

from __future__ import annotations

from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import pytest
from click.testing import CliRunner

from simulator.cli.report import command
from simulator.errors import UsageError
from tests.support.pages import stored_run

if TYPE_CHECKING:
    from pathlib import Path


def test_the_page_is_written_into_the_run_and_named(tmp_path: Path) -> None:
    folder = stored_run(tmp_path)
    for name in ("latest", folder.name, "by-hand"):
        done = CliRunner().invoke(command, ["--results", str(tmp_path), name])
        assert done.exit_code == 0, done.output
        assert done.output == f"{folder / 'report.html'}\n"
    assert (folder / "report.html").stat().st_size > 4_000_000


def test_one_chart_is_printed_as_a_picture(tmp_path: Path) -> None:
    stored_run(tmp_path)
    asked = ["--results", str(tmp_path), "latest", "--svg", "rates"]
    done = CliRunner().invoke(command, asked)
    assert ET.fromstring(done.output).tag.endswith("svg")
    with pytest.raises(UsageError, match="no chart named nothing; it has: ports-balancer-backend"):
        CliRunner().invoke(command, [*asked[:-1], "nothing"], catch_exceptions=False)


def test_scripts_may_be_shared(tmp_path: Path) -> None:
    folder = stored_run(tmp_path)
    CliRunner().invoke(command, ["--results", str(tmp_path), "--shared-assets"])
    assert (folder / "report.html").stat().st_size < 400_000
