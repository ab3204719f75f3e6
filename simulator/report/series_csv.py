"""A run over time as CSV: one line per tenth of a second, one column per series.

The socket table is sampled at its own moments; a line holds the last sample taken within its time
and is blank where there was none, so that nothing is drawn that was not seen.
"""

from __future__ import annotations

import csv
from io import StringIO
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from simulator.measure.series import Series

#: A spreadsheet takes a cell that begins so for a formula.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def series_csv(series: Series) -> str:
    """All series of a run as CSV with a header line; times in seconds since the start."""
    columns: dict[str, Sequence[Any]] = {"t_s": series.t_s}
    columns |= {f"{name}_per_s": values for name, values in series.rates_per_s.items()}
    columns["open_connections"] = series.open_connections
    columns |= {f"dials_{name}_per_s": values for name, values in series.dials_per_s.items()}
    for hop, table in series.hops.items():
        columns |= _aligned(hop, table, series)
    columns |= {f"{key}_per_s": values for key, values in series.errors_per_s.items()}
    out = StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow([_safe(name) for name in columns])
    for row in zip(*columns.values(), strict=True):
        writer.writerow([_cell(value) for value in row])
    return out.getvalue()


def _aligned(
    hop: str, table: Mapping[str, Sequence[float | None]], series: Series
) -> dict[str, Sequence[Any]]:
    """A hop's samples by bin: the last one within it, None without one."""
    bins = len(series.t_s)
    found: dict[str, list[float | None]] = {
        f"{hop}.{name}": [None] * bins for name in table if name != "t_s"
    }
    for index, moment in enumerate(table["t_s"]):
        if moment is None:
            continue
        at = min(int(moment / series.bin_s), bins - 1)
        for name, values in table.items():
            if name != "t_s" and at >= 0:
                found[f"{hop}.{name}"][at] = values[index]
    return dict(found)


def _cell(value: object) -> str:
    if value is None:
        return ""
    return f"{value:.3f}".rstrip("0").rstrip(".") if isinstance(value, float) else str(value)


def _safe(text: str) -> str:
    return f"'{text}" if text.startswith(_FORMULA) else text
