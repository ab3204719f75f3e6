"""Reading benches back: what was kept comes back, and what is damaged is refused by name."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from simulator.errors import PortchurnError, ResultsIncomplete, UsageError
from simulator.store.layout import MANIFEST
from simulator.store.read_bench import is_bench, read_bench
from tests.support.benched import peers

if TYPE_CHECKING:
    from pathlib import Path


def test_what_was_kept_comes_back(tmp_path: Path) -> None:
    folder = peers(tmp_path)
    found = read_bench(folder)
    assert is_bench(folder)
    assert found.manifest["bench"] == "relay"
    own = found.rows[0]
    assert (own.subject, own.metric, own.median, own.low, own.high) == ("own", "cpu", 22, 20, 24)
    assert (own.against, own.ratio, own.n) == ("haproxy", 0.5, 3)
    [absent] = {row.subject for row in found.rows if row.version is None}
    assert absent == "nginx"


def test_another_folder_is_no_bench(tmp_path: Path) -> None:
    assert not is_bench(tmp_path)
    with pytest.raises(UsageError, match="is not a bench"):
        read_bench(tmp_path)


def _first(folder: Path, **changes: Any) -> str:  # noqa: ANN401 - any JSON value
    rows = json.loads((folder / "rows.json").read_text())
    return json.dumps([rows[0] | changes, *rows[1:]])


@pytest.mark.parametrize(
    "changes",
    [{"median": "12"}, {"median": True}, {"unit": None}, {"ratio_low": float("inf")}],
)
def test_a_row_with_another_kind_of_value_is_damaged(
    tmp_path: Path, changes: dict[str, Any]
) -> None:
    folder = peers(tmp_path)
    (folder / "rows.json").write_text(_first(folder, **changes))
    with pytest.raises(ResultsIncomplete, match=next(iter(changes))):
        read_bench(folder)


@pytest.mark.parametrize("text", ["{", "[1]", "{}", "[" * 100_000, '[{"median": 1}]'])
def test_damaged_rows_are_refused(tmp_path: Path, text: str) -> None:
    folder = peers(tmp_path)
    (folder / "rows.json").write_text(text)
    with pytest.raises(ResultsIncomplete, match="damaged"):
        read_bench(folder)


def test_another_schema_a_link_and_too_much_are_refused(tmp_path: Path) -> None:
    folder = peers(tmp_path)
    (folder / "rows.json").write_bytes(b" " * (17 << 20))
    with pytest.raises(ResultsIncomplete, match="larger than 16 MiB"):
        read_bench(folder)
    (folder / "rows.json").unlink()
    (folder / "rows.json").symlink_to("/dev/null")
    with pytest.raises(PortchurnError):
        read_bench(folder)
    other = peers(tmp_path / "other")
    (other / MANIFEST).write_text('{"schema": "portchurn.bench/9"}')
    with pytest.raises(UsageError, match=r"portchurn\.bench/1"):
        read_bench(other)
