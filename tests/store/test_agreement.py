"""Runs of both engines that belong together: written once, and not believed beyond their folder."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from simulator.errors import ResultsIncomplete
from simulator.store.agreement import keep_agreement, read_agreement
from tests.support.stored import complete

if TYPE_CHECKING:
    from pathlib import Path

ROWS = [{"name": "ok", "kernel": 10.0, "model": 9.0, "error": 0.1, "target": 0.02, "holds": False}]


def test_what_is_kept_is_read_back(tmp_path: Path) -> None:
    real, model = complete(tmp_path), complete(tmp_path)
    assert read_agreement(real) is None
    keep_agreement(real, model, ROWS)
    found = read_agreement(real)
    assert found is not None
    assert found.model == model
    assert list(found.rows) == ROWS


@pytest.mark.parametrize(
    "told",
    [
        {"model": "../../etc", "series": []},
        {"model": "20260101-000000-abcd", "series": []},
        {"model": 7, "series": []},
        {"series": []},
        {"model": "20260101-000000-abcd", "series": "x"},
    ],
)
def test_a_name_that_leads_nowhere_is_no_agreement(tmp_path: Path, told: dict[str, Any]) -> None:
    folder = complete(tmp_path)
    (folder / "agreement.json").write_text(json.dumps(told))
    assert read_agreement(folder) is None


def test_a_damaged_file_is_told(tmp_path: Path) -> None:
    folder = complete(tmp_path)
    (folder / "agreement.json").write_text("[")
    with pytest.raises(ResultsIncomplete, match="damaged"):
        read_agreement(folder)
