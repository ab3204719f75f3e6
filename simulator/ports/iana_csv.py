"""Makes the registry's data file from the registry's own CSV, so that anybody can renew it.

``python -m simulator.ports.iana_csv FILE.csv YYYY-MM-DD > simulator/ports/data/iana-ports.tsv``,
with the day on which the CSV was taken. Rows without a number and everything but number, transport,
name and description are left out; rows that differ by transport alone become one. The rows for
unassigned numbers stay, so that a test can see that no number is missing.

Source: IANA Service Name and Transport Protocol Port Number Registry (RFC 6335).
"""

from __future__ import annotations

import csv
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

#: Descriptions are told on one line of a terminal.
_LONGEST: Final = 90
_DATE_RE: Final = re.compile(r"\d{4}-\d\d-\d\d")
_HEADER: Final = """\
# Source: IANA Service Name and Transport Protocol Port Number Registry (RFC 6335), its CSV form.
# Terms: facts of a public registry; IANA offers its registries under CC0 1.0.
# Taken: {taken}. Newest change in it: {newest}.
# Columns, split by tabs: port or first-last, transports (empty: the number as a whole), service
# name, description. Made by simulator/ports/iana_csv.py; do not edit.
"""


def compact(rows: Iterable[Mapping[str, str]], taken: str) -> str:
    """The data file's text.

    Args:
        rows: the CSV's rows by column name.
        taken: the day the CSV was taken, ``YYYY-MM-DD``.

    Raises:
        ValueError: the day is not a day, or a row lacks a column.
    """
    if not _DATE_RE.fullmatch(taken):
        raise ValueError(f"{taken!r} is not a day; write YYYY-MM-DD")
    transports: dict[tuple[str, str, str], list[str]] = {}
    newest = ""
    for row in rows:
        try:
            port, protocol = row["Port Number"], row["Transport Protocol"]
            name, text = row["Service Name"].strip(), row["Description"]
            days = row["Registration Date"], row["Modification Date"]
        except KeyError as error:
            raise ValueError(f"the CSV has no column {error}") from error
        newest = max(newest, *filter(_DATE_RE.fullmatch, days), "")
        if port and int(port.partition("-")[0]) < 49152:
            held = transports.setdefault((port, name, _one_line(text)), [])
            if protocol and protocol not in held:
                held.append(protocol)
    lines = [
        "\t".join((port, ",".join(held), name, text)).rstrip("\t")
        for (port, name, text), held in transports.items()
    ]
    return _HEADER.format(taken=taken, newest=newest) + "\n".join(lines) + "\n"


def _one_line(text: str) -> str:
    words = " ".join(text.split())
    return words if len(words) <= _LONGEST else words[: _LONGEST - 1].rstrip() + "…"


def main(arguments: list[str]) -> None:
    """Read the CSV named first, of the day named second, and write the data file to stdout."""
    path, taken = arguments
    with Path(path).open(encoding="utf-8", newline="") as file:
        sys.stdout.write(compact(csv.DictReader(file), taken))


if __name__ == "__main__":
    main(sys.argv[1:])
