"""The run over time as CSV: aligned, blank where nothing was seen, safe in a spreadsheet."""

from __future__ import annotations

import csv
from io import StringIO

from simulator.measure.series import Series
from simulator.report.series_csv import series_csv


def made(**changes: object) -> Series:
    given: dict[str, object] = {
        "bin_s": 0.1,
        "t_s": [0.0, 0.1, 0.2],
        "rates_per_s": {"asked": [10.0, 20.0, 30.0]},
        "open_connections": [1, 2, 3],
        "errors_per_s": {"balancer-backend/connect/EADDRNOTAVAIL": [0.0, 0.0, 5.0]},
        "dials_per_s": {"ok": [10.0, 20.0, 25.0]},
        "hops": {"balancer-backend": {"t_s": [0.05, 0.25, 0.29], "in_use": [7.0, 8.0, 9.0]}},
    }
    return Series(**(given | changes))  # type: ignore[arg-type]


def read(series: Series) -> list[dict[str, str]]:
    return list(csv.DictReader(StringIO(series_csv(series))))


def test_each_line_is_one_bin_and_each_column_one_series() -> None:
    rows = read(made())
    assert [row["t_s"] for row in rows] == ["0", "0.1", "0.2"]
    assert [row["asked_per_s"] for row in rows] == ["10", "20", "30"]
    assert [row["open_connections"] for row in rows] == ["1", "2", "3"]
    assert rows[2]["balancer-backend/connect/EADDRNOTAVAIL_per_s"] == "5"


def test_a_line_holds_its_last_sample_and_is_blank_without_one() -> None:
    assert [row["balancer-backend.in_use"] for row in read(made())] == ["7", "", "9"]


def test_a_gap_in_the_samples_stays_blank() -> None:
    hops = {"h": {"t_s": [0.05, None, 0.25], "in_use": [1.0, None, None]}}
    assert [row["h.in_use"] for row in read(made(hops=hops))] == ["1", "", ""]


def test_a_name_that_a_spreadsheet_would_run_is_quoted() -> None:
    rows = read(made(errors_per_s={"=HYPERLINK(1)": [0.0, 0.0, 0.0]}))
    assert "'=HYPERLINK(1)_per_s" in rows[0]
