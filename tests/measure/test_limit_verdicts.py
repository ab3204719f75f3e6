"""Limits other than ports: what each says when nothing failed, and of what it knows no more."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING, Any

import pytest

from simulator.measure.summary import summarize
from simulator.records import Call, Ending, Outcome
from tests.support.runs import MS, RunBuilder

if TYPE_CHECKING:
    from pathlib import Path


def hundred() -> RunBuilder:
    run = RunBuilder().started().planned([i * 10 * MS for i in range(100)])
    for row in range(100):
        run.ok(row)
    return run


def verdict(run: RunBuilder, root: Path) -> dict[str, Any]:
    found: dict[str, Any] = summarize(run.run(root))["verdict"]
    return found


def test_descriptors_of_the_generator_cost_what_was_not_sent(tmp_path: Path) -> None:
    run = hundred()
    for row in range(40, 60):
        run.outcome(row, Outcome.NOT_SENT_DESCRIPTORS)
    found = verdict(run, tmp_path)
    assert (found["code"], found["hop"]) == ("descriptors", None)
    assert found["sentence"] == (
        "The load generator ran out of file descriptors (EMFILE): 20.0 % of the plan could not be "
        "sent."
    )
    assert found["evidence"]["not_sent"] == 20


@pytest.mark.parametrize(
    ("call", "error", "advice"),
    [
        (Call.RECV, Ending.TIMEOUT, "find what is slow"),
        (Call.RECV, errno.ECONNRESET, "look at the other side: it cut connections during recv"),
        (Call.CONNECT, errno.ENETUNREACH, "look up ENETUNREACH in connect(2)"),
        (Call.PICK, Ending.NO_BACKEND, "bring back a backend"),
    ],
)
def test_what_no_limit_explains_is_told_by_its_error(
    tmp_path: Path, call: Call, error: int, advice: str
) -> None:
    run = hundred().failed(3, call, error, connected_ns=-1).failed(4, call, error, connected_ns=-1)
    found = verdict(run, tmp_path)
    assert found["evidence"]["failed"] == 2
    if found["code"] == "failures":  # a silence may also be laid to slow backends
        assert advice in found["remedies"][0]
        assert "2.0 % of connections failed, for no want of ports" in found["sentence"]
    else:
        assert (error, found["code"]) == (Ending.TIMEOUT, "backend-slow")
