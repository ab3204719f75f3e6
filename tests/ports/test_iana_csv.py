"""The CSV made compact: merged, dated, and read back as it was."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from simulator.ports.iana_csv import compact, main
from simulator.ports.registry import read_registry

if TYPE_CHECKING:
    from pathlib import Path

HEAD = (
    "Service Name,Port Number,Transport Protocol,Description,Registration Date,Modification Date\n"
)
ROWS = (
    "http,80,tcp,World Wide Web HTTP,,2021-10-01\n"
    "http,80,udp,World Wide Web HTTP,,2021-10-01\n"
    'www,80,tcp,"World Wide\n   Web",2005-01-01,\n'
    ",4,tcp,Unassigned,,\n"
    ",225-241,,Reserved,,\n"
    "only-a-name,,tcp,A service without a number,2022-02-02,\n"
    f"long,81,tcp,{'many words ' * 20},,\n"
)


def test_a_csv_becomes_rows_that_read_back(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "registry.csv"
    path.write_text(HEAD + ROWS)
    main([str(path), "2022-03-04"])
    text = capsys.readouterr().out
    found = read_registry(text)
    assert (found.taken, found.newest) == ("2022-03-04", "2022-02-02")
    assert [(row.first, row.last, row.transports, row.service) for row in found.rows] == [
        (80, 80, ("tcp", "udp"), "http"),
        (80, 80, ("tcp",), "www"),
        (4, 4, ("tcp",), ""),
        (225, 241, (), ""),
        (81, 81, ("tcp",), "long"),
    ]
    assert found.rows[1].description == "World Wide Web"
    assert found.rows[4].description.endswith("…")
    assert [found.status(port, "tcp") for port in (80, 4, 230)] == [
        *("assigned", "unassigned", "reserved")
    ]


def test_a_day_that_is_none_and_a_csv_of_something_else_are_refused() -> None:
    with pytest.raises(ValueError, match="YYYY-MM-DD"):
        compact([], "yesterday")
    with pytest.raises(ValueError, match="Port Number"):
        compact([{"name": "http"}], "2022-03-04")
