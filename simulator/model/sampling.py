"""Samples of the model: what the sampler of the kernel engine would read, from the exact state."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from simulator.engine import HopNow
from simulator.model.port_space import group_space
from simulator.ports.range import parse_port_range

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from simulator.model.directory import Directory
    from simulator.model.tuples import Counted, HopTuples
    from simulator.ports.budget import HopBudget
    from simulator.scenario.schema import Scenario


class HopSampler:
    """One hop.

    Args:
        budget: its tuples.
        tuples: its groups.
        sources: its addresses, by index.
        directory: endpoints by number; None where the far end is the balancer's front.
        front: the front as ``address:port``.
    """

    def __init__(
        self,
        budget: HopBudget,
        tuples: HopTuples,
        sources: tuple[str, ...],
        directory: Directory | None,
        front: str,
    ) -> None:
        self.name = budget.name
        self._budget = budget.budget
        self._ports = parse_port_range(budget.range_text)
        self._per_tuple = budget.per == "tuple"
        self._tuples = tuples
        self._sources = sources
        self._directory = directory
        self._front = front

    def take(self, now_ns: int) -> dict[str, Any]:
        """What one sample says of this hop (docs/records.md, ``samples.jsonl``)."""
        tuples = self._tuples
        tuples.settle(now_ns)
        groups = [one for one in tuples.counted() if one.in_use]
        opened = sum(one.open for one in groups)
        waiting = sum(one.waiting for one in groups)
        kept = sum(one.kept for one in groups)
        worst = max(groups, key=lambda one: one.in_use, default=None)
        far = sum(one.far_waiting for one in tuples.groups)
        told = {
            "groups": len(groups),
            "budget": self._budget,
            "in_use": opened + waiting + kept,
            "recyclable": sum(one.recyclable for one in tuples.groups),
            **_states(opened, waiting, kept),
            "worst": None if worst is None else self._worst(worst),
            "accept_side": _accept_side(far),
            "new_ports": 0,
            "distinct_ports": 0,  # known from the rows of connections and dials
        }
        if tuples.tells_ports:
            told["ports"] = group_space(self._ports, tuples.groups)
        return told

    def _worst(self, group: Counted) -> dict[str, Any]:
        destination = None
        if self._per_tuple:
            destination = self._front
            if self._directory is not None:
                address, port = self._directory.endpoints[group.destination]
                destination = f"{address}:{port}"
        return {
            "source": self._sources[group.source],
            "destination": destination,
            "in_use": group.in_use,
            "established": group.open,
            "time_wait": group.waiting,
            "other": group.kept,
        }


def _states(opened: int, waiting: int, kept: int) -> dict[str, int]:
    return {
        "established": opened,
        "time_wait": waiting,
        "other": kept,
        "fin_wait": 0,
        "close_wait": 0,
    }


def _accept_side(waiting: int) -> dict[str, int]:
    """The accepting ends, without those that are established."""
    return {"time_wait": waiting, "other": 0, "fin_wait": 0, "close_wait": 0}


def hop_now(name: str, seen: dict[str, Any]) -> HopNow:
    """What the live display shows of a hop's sample."""
    worst = seen["worst"] or {"established": 0, "time_wait": 0, "other": 0}
    return HopNow(
        name=name,
        budget=seen["budget"],
        established=worst["established"],
        time_wait=worst["time_wait"],
        other=worst["other"],
    )


def hop_lines(
    budget: HopBudget,
    states: NDArray[np.int64],
    names: Sequence[tuple[str, str | None]],
    counts: Mapping[str, NDArray[np.int64]],
) -> tuple[str, Callable[[int], dict[str, Any]]]:
    """The samples of a hop whose states over time are known as arrays.

    Args:
        budget: the hop.
        states: open, waiting and kept tuples, shape (groups, 3, samples).
        names: source address and destination of each group.
        counts: ``recyclable`` tuples and TIME_WAITs of the ``far`` ends, each of shape (samples,).

    Returns:
        The hop's name, and what each sample says of it.
    """
    totals = states.sum(axis=0)
    in_use = states.sum(axis=1)
    worst = in_use.argmax(axis=0)
    used = (in_use > 0).sum(axis=0)

    def line(at: int) -> dict[str, Any]:
        opened, waiting, kept = (int(one) for one in totals[:, at])
        group = int(worst[at])
        source, destination = names[group]
        most = [int(one) for one in states[group, :, at]]
        told = {"established": most[0], "time_wait": most[1], "other": most[2]}
        named = {"source": source, "destination": destination, "in_use": sum(most), **told}
        return {
            "groups": int(used[at]),
            "budget": budget.budget,
            "in_use": opened + waiting + kept,
            "recyclable": int(counts["recyclable"][at]),
            **_states(opened, waiting, kept),
            "worst": named if sum(most) else None,
            "accept_side": _accept_side(int(counts["far"][at])),
            "new_ports": 0,
            "distinct_ports": 0,
        }

    return budget.name, line


def sample_line(
    scenario: Scenario, now_ns: int, hops: Mapping[str, Mapping[str, Any]]
) -> dict[str, Any]:
    """One line of samples; it took no time, and there is no table of sockets to count."""
    return {
        "t_ns": now_ns,
        "every_ns": scenario.sampling.every,
        "complete": True,
        "hops": hops,
        "counters": {},
    }
