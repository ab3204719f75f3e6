"""A stored run as reports take it: complete, running, aborted."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from simulator.errors import UsageError
from simulator.report.stored import LEADS, stored, summary_of
from tests.support.stored import aborted, complete, running

if TYPE_CHECKING:
    from pathlib import Path


def test_a_run_cut_short_gets_the_summary_of_what_it_kept(tmp_path: Path) -> None:
    whole, cut = stored(complete(tmp_path)), stored(aborted(tmp_path))
    assert (whole.status, cut.status) == ("complete", "aborted")
    assert whole.status not in LEADS
    assert cut.status in LEADS
    assert cut.summary["attempts"] == whole.summary["attempts"]
    assert not (cut.folder / "summary.json").exists()
    assert summary_of(running(tmp_path))["attempts"] == whole.summary["attempts"]


def test_what_is_no_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="not a run"):
        stored(tmp_path)
