"""A plain run of any length: its plan drawn, decided and folded part by part.

Memory is bounded by connections that hold a tuple, and by the samples of the run; no row is kept.
What it writes down are the samples, roles, leases and events of any run, and in place of rows one
line of counts (``folded.jsonl``, docs/records.md).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from simulator.engine import HopNow
from simulator.errors import Refused
from simulator.kernel.sysctls import KERNEL_TIME_WAIT_NS
from simulator.model.dialer import NO_PORT
from simulator.model.plain import dialed_in_turn, only_tuples_run_out
from simulator.model.plain_run import group_name, listen
from simulator.model.sampling import hop_lines, sample_line
from simulator.model.showing import progress_at
from simulator.model.stream_calendar import FatesByCalendar, FatesInTurn, fast_loops
from simulator.model.stream_fates import FatesByArrays
from simulator.model.stream_fold import Folded
from simulator.preflight.hops import blocked_ns, hop_budgets, hops_of, source_of
from simulator.traffic.stream import ROWS, cannot_be_drawn, is_too_long, planned, stream_plan
from simulator.units import NS_PER_S, format_ns

if TYPE_CHECKING:
    from collections.abc import Iterator

    from simulator.engine import Job, Progress
    from simulator.model.plain import Times
    from simulator.model.plain_run import Write
    from simulator.model.stream_calendar import Loops
    from simulator.model.stream_fates import Fates
    from simulator.scenario.schema import Scenario
    from simulator.traffic.stream import Rows

#: Most counts that are kept for each of the few things that are counted by group and bin.
_COUNTS: Final = 20_000_000
#: Most bins: they are written as one line.
_BINS: Final = 50_000
#: Most groups: what they are called and how full they are goes through memory at each sample.
_GROUPS: Final = 1 << 16


def cannot_stream(scenario: Scenario) -> list[str]:
    """Why a scenario cannot be run part by part, one reason each; empty when it can."""
    found = cannot_be_drawn(scenario)
    if scenario.balancer.driver != "none":
        found.append(f"balancer.driver is {scenario.balancer.driver}; only none can")
    mode = scenario.clients.source.ports
    if mode in ("permanent", "userspace"):
        found.append(f"clients.source.ports is {mode}; kernel and the other modes of connect() can")
    budget = hop_budgets(scenario)[-1]
    if budget.listening or budget.reserved:
        found.append(f"ports of {budget.range_text} are reserved or listened on; move them away")
    if not found and not only_tuples_run_out(scenario):
        found.append("more than tuples can run out, or who is dialed next depends on what was")
    groups, bins = _period(scenario), _last_ns(scenario) // scenario.sampling.every
    if groups > _GROUPS or groups * bins > _COUNTS or bins > _BINS:
        found.append(
            f"{groups:,} groups of tuples x {bins:,} samples are too many; raise sampling.every"
        )
    return found


def who_can(scenario: Scenario) -> str:
    """Whether the model can do what no plan can hold, in a sentence."""
    why_not = cannot_stream(scenario)
    if why_not:
        return f"Nor can the model do it part by part: {'; '.join(why_not)}."
    return "The model can do it: portchurn run FILE --engine model"


def is_streamed(scenario: Scenario) -> bool:
    """Whether a scenario is run part by part: it asks for more than is ever kept, and it can."""
    return not cannot_stream(scenario) and is_too_long(scenario)


def _period(scenario: Scenario) -> int:
    """After how many connections the same address dials the same destination again."""
    return scenario.backends.count * scenario.clients.source.addresses


def _last_ns(scenario: Scenario) -> int:
    return scenario.duration_ns + scenario.grace


def fates_for(scenario: Scenario, turn: Times, loops: Loops | None) -> Fates:
    """Who decides: the compiled loop where there is one, else arrays."""
    source = source_of(scenario, hops_of(scenario)[-1])
    tuples, blocked = hop_budgets(scenario)[-1].budget, blocked_ns(scenario, source)
    assert blocked, "cannot_stream leaves out tuples that are never given back"
    if loops is None:
        return FatesByArrays(turn, tuples)
    if _all_alike(scenario):
        return FatesInTurn(turn, tuples, loop=loops.take_in_turn)
    open_ns = max(one.lifetime.mean_ns for one in scenario.traffic)
    hold_ns = blocked + max(open_ns, scenario.backends.service_time.mean_ns)
    rate = planned(scenario) * NS_PER_S / scenario.duration_ns
    return FatesByCalendar(
        turn, tuples, rate_per_s=rate, least_ns=blocked, hold_ns=hold_ns, loop=loops.take
    )


def _all_alike(scenario: Scenario) -> bool:
    """Whether all connections of a scenario hold their tuple for the same time."""
    serves = scenario.backends.service_time.constant
    lives = {phase.lifetime.constant for phase in scenario.traffic}
    asks = {phase.requests.constant for phase in scenario.traffic}
    return serves is not None and None not in lives and len(lives) == len(asks) == 1


class StreamRun:
    """One run.

    Args:
        scenario: `cannot_stream` found nothing in it.
        write: takes a line of a stream.
        compiled: whether a compiled loop may be used; results are the same without.
        rows: so many are worked on at a time; no result depends on it.

    Attributes:
        now_ns: all that was due up to here is decided.
        sent, failed: how many.
    """

    def __init__(
        self, scenario: Scenario, write: Write, *, compiled: bool = True, rows: int | None = None
    ) -> None:
        self._scenario = scenario
        self._write = write
        source = source_of(scenario, hops_of(scenario)[-1])
        self._source = source
        self._blocked_ns = blocked_ns(scenario, source) or 0
        order = np.arange(_period(scenario), dtype=np.int64)
        self._turn = dialed_in_turn(scenario, order)[2]
        loops = fast_loops() if compiled else None
        self._fates = fates_for(scenario, self._turn, loops)
        self._is_compiled = loops is not None
        self._forgotten_ns = max(self._blocked_ns, KERNEL_TIME_WAIT_NS)
        delays = tuple({self._blocked_ns, self._forgotten_ns})
        most_open = loops.most_open if loops is not None else None
        self._folded = Folded(scenario, self._turn, _last_ns(scenario), delays, most_open)
        self._rows = rows or self._best_rows()
        self._planned = round(planned(scenario))
        self._moves, self._endpoints = listen(scenario, write)
        self.now_ns = 0

    def _best_rows(self) -> int:
        """A core's own cache likes few; arrays of what is held are gone through once a part."""
        if self._is_compiled:
            return ROWS >> 2
        budget = hop_budgets(self._scenario)[-1]
        rate = planned(self._scenario) / self._scenario.duration_ns
        held = min(budget.total, rate * self._blocked_ns)
        return int(min(max(ROWS >> 2, held), ROWS))

    @property
    def path(self) -> str:
        """Which way it goes, for the summary."""
        return "compiled" if self._is_compiled else "streamed"

    @property
    def sent(self) -> int:
        """How many were due by now."""
        return int(self._folded.sent.sum())

    @property
    def failed(self) -> int:
        """How many of these found no tuple."""
        return int(self._folded.failed.sum())

    def parts(self) -> Iterator[None]:
        """Work through the plan, a part at a time; who asks for no more stops it.

        Raises:
            Refused: a service time was drawn that no client waits for.
        """
        for rows in stream_plan(self._scenario, self._rows):
            opened = self._open_ns(rows)
            hold = opened + self._blocked_ns
            taken = self._fates.take(rows.due_ns, hold, rows.first)
            self._folded.add(rows, opened, taken)
            self.now_ns = int(rows.due_ns[-1])
            yield

    def _open_ns(self, rows: Rows) -> Times:
        """How long each connection would be open."""
        patience = self._scenario.clients.timeout
        if int(rows.service_ns.max()) >= patience:
            raise Refused(
                f"A service time as long as clients.timeout ({format_ns(patience)}) was drawn, and "
                "a run of so many connections cannot cut any short; raise clients.timeout."
            )
        return np.maximum(rows.lifetime_ns, rows.service_ns)

    def progress(self, job: Job) -> Progress:
        """How it stands."""
        open_now = self._folded.peak.open
        return progress_at(
            job,
            "running",
            self.now_ns,
            planned=self._planned,
            asked=self.sent,
            sent=self.sent,
            ok=self.sent - self.failed - open_now,
            failed=self.failed,
            still_open=open_now,
            hops=[self._hop_now(open_now)],
        )

    def _hop_now(self, open_now: int) -> HopNow:
        """The fullest group; states are those of all groups in the same shares."""
        budget = hop_budgets(self._scenario)[-1]
        in_use = self._fates.in_use(self.now_ns)
        total, most = int(in_use.sum()), int(in_use.max())
        established = most * open_now // max(1, total)
        waits = most - established
        return HopNow(
            name=budget.name,
            budget=budget.budget,
            established=established,
            time_wait=waits,
            other=0,
        )

    def finish(self, *, stopped: bool = False) -> None:
        """Write everything.

        Args:
            stopped: nothing more was asked for after `now_ns`.
        """
        scenario, every = self._scenario, self._scenario.sampling.every
        begun = self.now_ns if stopped else scenario.duration_ns
        wanted = max(begun, self._folded.closed_last_ns)
        end_ns = min(-(-wanted // every) * every, _last_ns(scenario))
        self._write_samples(end_ns)
        line = {"t_ns": end_ns, "role": "client", "index": 0, "sent": self.sent}
        self._write("roles", line)
        self._moves.end(end_ns)
        self._write("folded", self._counts(end_ns))
        opened = int(self._folded.late.sum())
        self._write("events", {"t_ns": end_ns, "event": "ended", "open": opened})

    def _counts(self, end_ns: int) -> dict[str, Any]:
        """The line of counts (docs/records.md)."""
        folded, source = self._folded, self._source
        bins = max(1, -(-end_ns // self._scenario.sampling.every))
        tuples = hop_budgets(self._scenario)[-1].budget
        by_group = folded.opened.counts.sum(axis=0)
        opened, closed, asked = (
            one.counts.sum(axis=1)[:bins] for one in (folded.opened, folded.closed, folded.asked)
        )
        late = folded.not_closed.counts[:bins, 0]
        call, error = (int(one) for one in NO_PORT[source.ports])
        return {
            "phases": {
                "sent": folded.sent.tolist(),
                "ok": folded.ok.tolist(),
                "failed": folded.failed.tolist(),
                "open": folded.late.tolist(),
                "busiest_second": folded.per_second.most.tolist(),
            },
            "call": call,
            "error": error,
            "first_failed_ns": folded.lost_first_ns,
            "failed_toward": np.flatnonzero(folded.lost_by_backend).tolist(),
            "peak_concurrent": folded.peak.most,
            "open_ns": folded.open_ns,
            "distinct_ports": min(tuples, int(by_group.max(initial=0))),
            "response": folded.response.as_dict(),
            "picks": self._picks(),
            "every_ns": self._scenario.sampling.every,
            "asked": asked.tolist(),
            "opened": opened.tolist(),
            "closed": closed.tolist(),
            "open_at_end": late.tolist(),
        }

    def _picks(self) -> list[int]:
        """How often each backend was dialed: in turn, so many times round and a rest."""
        count = self._scenario.backends.count
        return [len(range(at, self.sent, count)) for at in range(count)]

    def _write_samples(self, end_ns: int) -> None:
        scenario, folded = self._scenario, self._folded
        every = scenario.sampling.every
        moments = np.arange(every, end_ns + every, every, dtype=np.int64)
        moments[-1] = min(moments[-1], end_ns)
        opened, closed, back, forgotten = (
            np.cumsum(one, axis=0)[: len(moments)]
            for one in (
                folded.opened.counts,
                folded.closed.counts,
                folded.after_close(self._blocked_ns),
                folded.after_close(self._forgotten_ns),
            )
        )
        budget = hop_budgets(scenario)[-1]
        # New ports are handed out first, then whoever is free for longest: so many were taken
        # over by now, and those are the first that came back.
        again = np.maximum(opened - budget.budget, 0)
        lasting = np.maximum(back - np.maximum(forgotten, again), 0).sum(axis=1)
        states = np.stack([opened - closed, closed - back, np.zeros_like(back)], axis=1)
        used = np.flatnonzero(opened[-1])
        names = [group_name(scenario, self._endpoints, int(group)) for group in used]
        counts = {"recyclable": lasting, "far": np.zeros_like(lasting)}
        table = states.transpose(2, 1, 0)[used]
        name, line = hop_lines(budget, table, names, counts)
        for at, moment in enumerate(moments.tolist()):
            self._write("samples", sample_line(scenario, moment, {name: line(at)}))
