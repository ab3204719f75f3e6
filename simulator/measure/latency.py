"""How long connections took: from the moment they were due, and from the moment they were sent.

Open loop: *response* counts from due, so that a queue in front of the generator is never hidden;
*service* counts from sent; *lag* is their difference, the generator's own fault; *connect* is the
handshake from sent. Warm-up phases are left out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from simulator.measure import folded
from simulator.measure.histogram import summary_of
from simulator.measure.phases import measured, measured_rows, spans
from simulator.measure.turns import due_ns
from simulator.records import Outcome

if TYPE_CHECKING:
    from simulator.engine import Run

Times = np.ndarray[Any, np.dtype[np.int64]]


def timed_rows(run: Run) -> dict[str, tuple[Times, Times]]:
    """The rows that have each kind of latency, and how long they took: indexes, int64 ns.

    connect has every row that connected, lag every row that was sent; response and service only
    rows that ended OK, up to the last answer or, without requests, to the close.
    """
    rows, due = run.connections, due_ns(run)
    sent = rows["sent_ns"]
    chosen = measured_rows(run) & (sent >= 0)
    connected = np.flatnonzero(chosen & (rows["connected_ns"] >= 0))
    end = np.where(run.plan["requests"] > 0, rows["answered_ns"], rows["closed_ns"])
    ok = np.flatnonzero(chosen & (rows["outcome"] == Outcome.OK) & (end >= 0))
    all_sent = np.flatnonzero(chosen)
    return {
        "connect": (connected, rows["connected_ns"][connected] - sent[connected]),
        "response": (ok, end[ok] - due[ok]),
        "service": (ok, end[ok] - sent[ok]),
        # A timer may fire a few microseconds early; that is no lag.
        "lag": (all_sent, np.maximum(sent[all_sent] - due[all_sent], 0)),
    }


def times_ns(run: Run) -> dict[str, Times]:
    """The samples of each kind of latency, int64 ns, each of its own length."""
    return {kind: values for kind, (_, values) in timed_rows(run).items()}


def latency_table(run: Run) -> dict[str, dict[str, int | None]]:
    """``latency_ns`` of a summary: each kind with count, percentiles and maximum."""
    if run.folded is not None:
        return folded.latencies(run, [span.index for span in measured(spans(run))])
    return {
        name: summary_of(np.maximum(values, 0).astype(np.int64))
        for name, values in times_ns(run).items()
    }


def peak_concurrent(run: Run) -> int:
    """The most client connections that were open at once, exact."""
    if run.folded is not None:
        return int(run.folded["peak_concurrent"])
    rows = run.connections
    opened = rows["connected_ns"] >= 0
    begin = rows["connected_ns"][opened]
    end = rows["closed_ns"][opened]
    moments = np.concatenate([begin, end[end >= 0]])
    steps = np.concatenate([np.ones(len(begin), np.int64), np.full(int((end >= 0).sum()), -1)])
    # At one moment closes come first: a connection that ends as another begins is not beside it.
    order = np.lexsort((steps, moments))
    return int(np.cumsum(steps[order]).max(initial=0))


def mean_hold_s(run: Run) -> float:
    """Mean time that connections stayed open, in seconds; 0 when none was closed."""
    if run.folded is not None:
        return folded.mean_open_s(run)
    rows = run.connections
    done = (rows["connected_ns"] >= 0) & (rows["closed_ns"] >= 0)
    if not done.any():
        return 0.0
    return float((rows["closed_ns"][done] - rows["connected_ns"][done]).mean()) / 1e9
