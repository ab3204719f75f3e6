"""The vocabulary of records: real dtypes, complete outcomes, and docs that name no ghost.

docs/records.md is what a reader of a results folder works from; every column, key and stream it
names must be written by the code, so the code is asked.
"""

from __future__ import annotations

import dataclasses
import errno
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from simulator import records
from simulator.kernel.sockdiag import SocketTable
from simulator.live.sampler import HopCounter
from simulator.live.settings import HopView
from simulator.ports.lease import Lease
from simulator.store.layout import LINE_STREAMS
from simulator.traffic.plan import make_plan
from tests.support.runs import RunBuilder

DOCS = Path(__file__).parent.parent / "docs" / "records.md"
COLUMNS = {name: value for name, value in vars(records).items() if name.endswith("_COLUMNS")}


@pytest.mark.parametrize("table", COLUMNS)
def test_every_column_has_a_little_endian_or_one_byte_dtype(table: str) -> None:
    for name, dtype in COLUMNS[table].items():
        assert np.dtype(dtype).str == dtype, name
        assert dtype[0] in "<|", f"{name} depends on the machine's byte order"
        assert name.isidentifier()


def test_rows_that_are_streamed_are_whole_words_so_that_a_torn_row_shows() -> None:
    for table in (records.DIAL_COLUMNS, records.REFUSAL_COLUMNS):
        assert set(table.values()) == {"<i8"}


def test_every_outcome_and_call_fits_its_column() -> None:
    for name, kind in (("outcome", records.Outcome), ("call", records.Call)):
        assert max(kind) <= np.iinfo(records.CONNECTION_COLUMNS[name]).max
    endings = np.iinfo(records.CONNECTION_COLUMNS["error"])
    assert endings.min <= min(records.Ending) < 0
    assert max(errno.errorcode) <= endings.max


def test_an_outcome_is_either_sent_or_has_a_reason_for_not_being_sent() -> None:
    sent = {records.Outcome.OPEN, records.Outcome.OK, records.Outcome.FAILED}
    assert set(records.NOT_SENT) | sent == set(records.Outcome)
    assert not set(records.NOT_SENT) & sent
    assert int(records.Outcome.PLANNED) == 0, "a fresh file of zeros must mean: nothing done"


def test_errnos_and_endings_have_names_that_never_meet() -> None:
    assert {name for code in errno.errorcode if (name := records.error_name(code))} == set(
        errno.errorcode.values()
    )
    names = {records.error_name(ending) for ending in records.Ending}
    assert names == {ending.name for ending in records.Ending}
    assert not names & set(errno.errorcode.values())
    assert records.error_name(4095) == "ERRNO_4095"


def test_a_status_has_a_code_of_its_own_that_fits() -> None:
    for status in (100, 301, 404, 503, 599):
        code = records.http_error(status)
        assert code >= np.iinfo(records.CONNECTION_COLUMNS["error"]).min
        assert code < min(records.Ending)
        assert records.error_name(code) == f"HTTP_{status}"


def test_the_key_of_an_error() -> None:
    key = records.error_key(records.Hop.BALANCER_BACKEND, records.Call.CONNECT, errno.EADDRNOTAVAIL)
    assert key == "balancer-backend/connect/EADDRNOTAVAIL"


def test_out_of_something_names_one_thing_each() -> None:
    kinds = (records.OUT_OF_DESCRIPTORS, records.OUT_OF_MEMORY, records.OUT_OF_PORTS)
    assert sum(map(len, kinds)) == len(frozenset().union(*kinds))


# The docs against the code.


def documented() -> dict[str, str]:
    """The table of docs/records.md: file -> columns or keys."""
    rows = [line.split("|") for line in DOCS.read_text().splitlines() if line.startswith("| `")]
    return {row[1].strip(" `"): row[3] for row in rows}


def words(text: str) -> set[str]:
    """What stands in backticks as a plain name."""
    return set(re.findall(r"`([a-z_0-9]+)`", text))


def test_the_docs_name_every_stream_and_no_other() -> None:
    stems = {
        name.split(".")[0].removesuffix("-<worker>").removesuffix("-<hop>")
        for name in documented()
        if "/" not in name
    }
    files = {"manifest", "scenario", "summary", "crew", "report", "agreement"}
    assert stems == {*LINE_STREAMS, *records.ROW_STREAMS, *files}
    assert {name for name in documented() if "/" in name} == {
        "plan/<column>.npy",
        "connections/<column>.npy",
        "balancer/<file>",
    }


def test_each_table_of_columns_named_in_the_docs_exists() -> None:
    named = set(re.findall(r"`records\.([A-Z_]+)`", DOCS.read_text()))
    assert named <= set(COLUMNS)
    assert named | {"SERVICE_COLUMNS"} == set(COLUMNS)
    assert "service_ns" in words(documented()["plan/<column>.npy"])


def test_the_manifest_has_each_key_named_in_the_docs(tmp_path: Path) -> None:
    with RunBuilder().write(tmp_path) as writer:
        text = (writer.folder / "manifest.json").read_text()
    for key in words(documented()["manifest.json"]) - {"without_rows"}:
        assert f'"{key}":' in text, key
    assert "without_rows" not in text, "it is for runs that keep no row, and this one does"


def test_a_lease_has_exactly_the_keys_named_in_the_docs() -> None:
    assert words(documented()["leases.jsonl"]) == {one.name for one in dataclasses.fields(Lease)}


def _table(rows: int) -> SocketTable:
    return SocketTable(
        state=np.full(rows, 1, np.uint8),
        source=np.full(rows, 127 << 24 | 3 << 16 | 1, np.uint32),
        destination=np.full(rows, 127 << 24 | 4 << 16 | 1, np.uint32),
        sport=np.arange(20_000, 20_000 + rows, dtype=np.uint16),
        dport=np.full(rows, 80, np.uint16),
        timer_ms=np.zeros(rows, np.uint32),
        complete=True,
    )


def test_a_sample_of_a_hop_has_each_key_named_in_the_docs() -> None:
    view = HopView(
        name="balancer-backend",
        destination_prefix=127 << 8 | 4,
        source_prefix=127 << 8 | 3,
        per="tuple",
        budget=100,
        groups=1,
        blocking_ms=0,
        counts_bound=False,
    )
    counted: dict[str, Any] = HopCounter(view).count(_table(3))
    text = documented()["samples.jsonl"]
    hop = text[text.index("`hops`") : text.index("`counters`")]
    assert words(hop) - {"hops"} == set(counted)
    braces = dict(re.findall(r"`(worst|accept_side)` \{([a-z_, ]+)\}", hop))
    for name, keys in braces.items():
        assert set(keys.split(", ")) == set(counted[name]), name
    assert set(braces) == {"worst", "accept_side"}


def test_the_plan_that_is_made_has_each_documented_column() -> None:
    plan = make_plan(RunBuilder().scenario)
    assert set(plan.columns) == set(records.PLAN_COLUMNS)
    for name, dtype in records.PLAN_COLUMNS.items():
        assert plan.columns[name].dtype == np.dtype(dtype)
    assert plan.service_ns.dtype == np.dtype(records.SERVICE_COLUMNS["service_ns"])
