"""What each role cost: CPU and memory for one connection, and the load on its core.

Counters of a role are cumulative, so everything is a difference between its first and its last
tick: what starting the interpreter cost is in no number.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from simulator.measure.modelled import is_modelled
from simulator.measure.phases import measured, spans

if TYPE_CHECKING:
    from simulator.engine import Run

Tick = Mapping[str, Any]
#: The counter that says how many connections a role served.
SERVED: Final = {
    "client": "sent",
    "sidecar": "accepted",
    "balancer": "accepted",
    "backend": "accepted",
}
#: Fewest connections that a cost for one connection may be made of.
_FEWEST: Final = 100


def ticks_by_process(run: Run, role: str) -> list[list[Tick]]:
    """The ticks of each process of a role, in time order."""
    found: dict[tuple[Any, Any], list[Tick]] = {}
    for tick in run.roles:
        if tick.get("role") == role:
            found.setdefault((tick.get("index"), tick.get("pid")), []).append(tick)
    return list(found.values())


def cpu_ns(tick: Tick) -> int:
    """What a process had used of the CPU, in its own code and the kernel's, by one of its ticks."""
    return int(tick.get("user_ns", 0)) + int(tick.get("system_ns", 0))


def cpu_us_per_connection(run: Run, role: str) -> float | None:
    """CPU of a role for one connection in microseconds; None with fewer than 100."""
    counter = SERVED[role]
    cpu = served = 0
    for ticks in ticks_by_process(run, role):
        cpu += cpu_ns(ticks[-1]) - cpu_ns(ticks[0])
        served += int(ticks[-1].get(counter, 0)) - int(ticks[0].get(counter, 0))
    return cpu / served / 1000 if served >= _FEWEST else None


def busiest_share(run: Run, role: str) -> float | None:
    """Share of a core that the busiest process of a role used in the measured phases."""
    windows = measured(spans(run))
    if not windows:
        return None
    begin, end = windows[0].start_ns, windows[-1].end_ns
    shares = []
    for ticks in ticks_by_process(run, role):
        inside = [tick for tick in ticks if begin <= tick["t_ns"] <= end]
        elapsed = inside[-1]["t_ns"] - inside[0]["t_ns"] if len(inside) > 1 else 0
        if elapsed > 0:
            shares.append((cpu_ns(inside[-1]) - cpu_ns(inside[0])) / elapsed)
    return max(shares, default=None)


def sampler_share(run: Run) -> float | None:
    """Share of a core that reading the socket table took; None without two samples.

    The last sample closes the stretch that is looked at, so its own cost is left out.
    """
    if len(run.samples) < 2:
        return None
    elapsed = int(run.samples[-1]["t_ns"]) - int(run.samples[0]["t_ns"])
    cost = sum(int(sample.get("cpu_ns", 0)) for sample in run.samples[:-1])
    return cost / elapsed if elapsed > 0 else None


def bytes_per_connection(run: Run, role: str) -> float | None:
    """Memory that a role's processes grew by for one open connection; None with fewer than 100.

    Resident memory at the moment of most open connections, less that of the first tick.
    """
    grown = held = 0
    for ticks in ticks_by_process(run, role):
        fullest = max(ticks, key=lambda tick: int(tick.get("active", tick.get("open", 0))))
        grown += int(fullest.get("rss_bytes", 0)) - int(ticks[0].get("rss_bytes", 0))
        held += int(fullest.get("active", fullest.get("open", 0)))
    return max(0, grown) / held if held >= _FEWEST else None


def last_counters(run: Run, role: str) -> list[Tick]:
    """The last tick of each process of a role."""
    return [ticks[-1] for ticks in ticks_by_process(run, role)]


def sum_by_key(ticks: Sequence[Tick], counter: str) -> dict[str, int]:
    """A counter that is a mapping, such as ``picks`` or ``accept_errors``, over all ticks."""
    total: dict[str, int] = {}
    for tick in ticks:
        table = tick.get(counter)
        if isinstance(table, Mapping):
            for key, value in table.items():
                total[str(key)] = total.get(str(key), 0) + int(value)
    return total


def kernel_counters(run: Run) -> dict[str, int]:
    """The kernel's counters over the run, from the last sample or event that told them."""
    for source in (run.events, run.samples):
        for record in reversed(source):
            told = record.get("counters", record.get("values"))
            if isinstance(told, Mapping) and record.get("event", "counters") == "counters":
                return {str(name): int(value) for name, value in told.items()}
    return {}


def _roles(run: Run) -> list[str]:
    """The roles that serve connections; a sidecar only where the scenario has one."""
    return [role for role in SERVED if role != "sidecar" or run.scenario.sidecar is not None]


def cpu_table(run: Run) -> dict[str, float | None]:
    """``cpu`` of a summary."""
    roles = _roles(run)
    table = {f"{role}_us_per_connection": cpu_us_per_connection(run, role) for role in roles}
    found = {
        **table,
        "sampler_share": sampler_share(run),
        **{f"{role}_share": busiest_share(run, role) for role in roles},
    }
    return dict.fromkeys(found) if is_modelled(run) else found


def memory_table(run: Run) -> dict[str, float | None]:
    """``memory`` of a summary; the kernel's share is told only where an engine recorded it."""
    table: dict[str, float | None] = {
        f"{role}_bytes_per_connection": bytes_per_connection(run, role) for role in _roles(run)
    }
    table["kernel_bytes_per_connection"] = _kernel_bytes(run)
    return dict.fromkeys(table) if is_modelled(run) else table


def _kernel_bytes(run: Run) -> float | None:
    for event in reversed(run.events):
        if event.get("event") == "kernel-memory":
            held = int(event.get("connections", 0))
            return int(event["bytes"]) / held if held >= _FEWEST else None
    return None
