"""What would mend a run, each remedy with what it would gain by arithmetic.

The law behind most of them is Little's: tuples in use = rate * (open time + TIME_WAIT), so the
highest steady rate is tuples / (open time + TIME_WAIT). Remedies come in order of gain.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from simulator.measure.hops import HopFacts, source_of
from simulator.records import Hop
from simulator.units import NS_PER_S, format_count, format_ns, format_rate

if TYPE_CHECKING:
    from simulator.measure.evidence import Evidence

#: A connection that closes at once still takes the time of its handshake and answer.
_LEAST_HOLD_S: Final = 1e-4
#: Requests on one connection in the keep-alive remedy: few enough for any client to manage.
_KEEP_ALIVE: Final = 10
#: 1024-65535: all that is not reserved for system services.
_WIDEST: Final = 64_512
_MOST: Final = 3
#: A wall this far off is not met: connecting alone costs more CPU than a core has.
_BEYOND_PER_S: Final = 100_000


@dataclass(frozen=True, slots=True, order=True)
class Remedy:
    """A text, and by which factor it moves the wall."""

    gain: float
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Wall:
    """Where the tuples of a hop end, by arithmetic.

    Attributes:
        tuples: of all groups together.
        groups: how many groups they are.
        open_s: how long a connection holds its tuple open.
        wait_s: how long the side that connects holds it after closing.
    """

    tuples: int
    groups: int
    open_s: float
    wait_s: float

    @property
    def rate_per_s(self) -> float:
        """The highest steady rate of connections."""
        return self.tuples / (max(self.open_s, _LEAST_HOLD_S) + self.wait_s)


def waits_after_close_s(evidence: Evidence, hop: Hop) -> float:
    """How long the connecting side of a hop keeps a tuple after close: TIME_WAIT, or nothing.

    The side that closes first keeps it. The balancer closes the backend's side too when the
    client closes, so `client` costs both hops their tuples.
    """
    close = evidence.scenario.balancer.close
    holders = {
        Hop.CLIENT_BALANCER: ("client",),
        Hop.CLIENT_BACKEND: ("client",),
        Hop.BALANCER_BACKEND: ("client", "balancer"),
    }
    return evidence.scenario.kernel.time_wait / NS_PER_S if close in holders[hop] else 0.0


def wall_of(evidence: Evidence, facts: HopFacts) -> Wall:
    """The wall of a hop, when connections spread evenly over its groups."""
    per_address = source_of(evidence.scenario, facts.hop).ports in ("early-bind", "permanent")
    groups = facts.sources * (1 if per_address else facts.destinations)
    return Wall(
        tuples=facts.budget * groups,
        groups=groups,
        open_s=evidence.hold_s,
        wait_s=waits_after_close_s(evidence, facts.hop),
    )


def in_order(remedies: list[Remedy]) -> list[str]:
    """Texts of the remedies that gain most, at most three."""
    return [remedy.text for remedy in sorted(remedies, key=lambda r: -r.gain)[:_MOST]]


def _key(facts: HopFacts) -> str:
    return "balancer.source" if facts.hop is Hop.BALANCER_BACKEND else "clients.source"


def port_remedies(evidence: Evidence, facts: HopFacts, *, lost_to_time_wait: bool) -> list[str]:
    """What gives a hop more tuples, or makes it need fewer."""
    found = [_addresses(evidence, facts, lost_to_time_wait)]
    if lost_to_time_wait:
        found += [*_close_elsewhere(evidence, facts), *_keep_alive(evidence)]
        found += _shorter_wait(evidence, facts)
    else:
        found += _more_destinations(evidence, facts)
    found += _wider_range(evidence, facts, lost_to_time_wait)
    found += _late_bind(evidence, facts, lost_to_time_wait)
    return in_order(found)


def _moved(wall: Wall, factor: float, lost_to_time_wait: bool) -> str:
    """How far a factor moves the wall, in words."""
    if lost_to_time_wait:
        now = wall.rate_per_s
        if now * factor > _BEYOND_PER_S:
            return (
                f"ceiling {format_rate(now)} -> over {format_rate(_BEYOND_PER_S)}, beyond one core"
            )
        return f"ceiling {format_rate(now)} -> {format_rate(now * factor)}"
    return (
        f"{format_count(wall.tuples)} -> {format_count(wall.tuples * factor)} connections at once"
    )


def _addresses(evidence: Evidence, facts: HopFacts, lost_to_time_wait: bool) -> Remedy:
    wall = wall_of(evidence, facts)
    need = evidence.asked_per_s / wall.rate_per_s
    factor = max(2, math.ceil(need)) if lost_to_time_wait else 2
    count = facts.sources * factor
    return Remedy(
        factor,
        f"{count} source addresses ({_key(facts)}.addresses): "
        f"{_moved(wall, factor, lost_to_time_wait)}",
    )


def _close_elsewhere(evidence: Evidence, facts: HopFacts) -> list[Remedy]:
    wall = wall_of(evidence, facts)
    if not wall.wait_s:
        return []
    open_s = max(wall.open_s, _LEAST_HOLD_S)
    factor = (open_s + wall.wait_s) / open_s
    owner = "the balancer's" if facts.hop is Hop.BALANCER_BACKEND else "the clients'"
    return [
        Remedy(
            factor,
            f"let the backend close first (balancer.close: backend): TIME_WAIT no longer holds "
            f"{owner} ports, {_moved(wall, factor, lost_to_time_wait=True)}",
        )
    ]


def _keep_alive(evidence: Evidence) -> list[Remedy]:
    now = max(phase.requests for phase in evidence.scenario.traffic)
    if now >= _KEEP_ALIVE:
        return []
    factor = _KEEP_ALIVE / max(1, now)
    return [
        Remedy(
            factor,
            f"keep connections alive for {_KEEP_ALIVE} requests each: needs 1/{factor:.3g} of the "
            f"connections, {format_rate(evidence.asked_per_s)} -> "
            f"{format_rate(evidence.asked_per_s / factor)}",
        )
    ]


def _shorter_wait(evidence: Evidence, facts: HopFacts) -> list[Remedy]:
    wall = wall_of(evidence, facts)
    if wall.wait_s <= 1.0:
        return []
    factor = (wall.open_s + wall.wait_s) / (wall.open_s + 1.0)
    return [
        Remedy(
            factor,
            f"reuse TIME_WAIT after 1s (kernel.time_wait: 1s, that is tcp_tw_reuse=1): "
            f"{_moved(wall, factor, lost_to_time_wait=True)}",
        )
    ]


def _more_destinations(evidence: Evidence, facts: HopFacts) -> list[Remedy]:
    source = source_of(evidence.scenario, facts.hop)
    if facts.hop is Hop.CLIENT_BALANCER or source.ports in ("early-bind", "permanent"):
        return []
    wall = wall_of(evidence, facts)
    return [
        Remedy(
            1.9,  # as good as more addresses, but dearer: it needs servers or listeners
            f"{2 * facts.destinations} destinations, such as a second port for each backend: "
            f"{_moved(wall, 2, lost_to_time_wait=False)}",
        )
    ]


def _wider_range(evidence: Evidence, facts: HopFacts, lost_to_time_wait: bool) -> list[Remedy]:
    if facts.budget >= _WIDEST:
        return []
    factor = _WIDEST / facts.budget
    own = source_of(evidence.scenario, facts.hop).range is not None
    key = f"{_key(facts)}.range" if own else "kernel.port_range"
    return [
        Remedy(
            factor,
            f"a wider range ({key}: 1024-65535): "
            f"{_moved(wall_of(evidence, facts), factor, lost_to_time_wait)}",
        )
    ]


def _late_bind(evidence: Evidence, facts: HopFacts, lost_to_time_wait: bool) -> list[Remedy]:
    mode = source_of(evidence.scenario, facts.hop).ports
    if mode not in ("early-bind", "permanent") or facts.destinations < 2:
        return []
    factor = facts.destinations
    return [
        Remedy(
            factor,
            f"pick the port at connect ({_key(facts)}.ports: late-bind): each of the "
            f"{facts.destinations} destinations then has the whole range, "
            f"{_moved(wall_of(evidence, facts), factor, lost_to_time_wait)}",
        )
    ]


def queue_remedies(evidence: Evidence, hop: str) -> list[str]:
    """What keeps an accept queue from overflowing."""
    scenario = evidence.scenario
    at_backend = hop != Hop.CLIENT_BALANCER.label
    part = "backends" if at_backend else "balancer"
    asked = scenario.backends.backlog if at_backend else scenario.balancer.backlog
    now = min(asked, scenario.kernel.somaxconn)
    found = []
    if now < 65_535:
        more = min(65_535, now * 8)
        found.append(
            Remedy(
                more / now,
                f"longer accept queues ({part}.backlog and kernel.somaxconn: {more}): a burst of "
                f"{format_count(now)} -> {format_count(more)} connections waits instead of "
                f"being dropped",
            )
        )
    pause_s = scenario.backends.accept_every / NS_PER_S
    if at_backend and pause_s:
        limit = scenario.backends.count / pause_s
        found.append(
            Remedy(
                max(1.0, evidence.asked_per_s / limit) * 10,
                f"accept faster: one accept every {format_ns(scenario.backends.accept_every)} "
                f"lets {scenario.backends.count} backends take {format_rate(limit)}, while "
                f"{format_rate(evidence.asked_per_s)} were asked",
            )
        )
    if at_backend:
        count = scenario.backends.count
        found.append(
            Remedy(
                2,
                f"{2 * count} backends (backends.count): each takes half, "
                f"{format_rate(evidence.asked_per_s / count)} -> "
                f"{format_rate(evidence.asked_per_s / count / 2)}",
            )
        )
    else:
        workers = scenario.balancer.workers
        found.append(
            Remedy(
                2,
                f"{2 * workers} workers (balancer.workers), each with a queue of its own: "
                f"{format_count(now * workers)} -> {format_count(now * workers * 2)} "
                f"connections wait",
            )
        )
    return in_order(found)


def descriptor_remedies(evidence: Evidence, role: str) -> list[str]:
    """What gives a role enough descriptors: a limit, or more processes."""
    scenario = evidence.scenario
    part, workers, each, limit = {
        "balancer": ("balancer", scenario.balancer.workers, 2, scenario.balancer.descriptors),
        "backend": ("backends", scenario.backends.processes, 1, scenario.backends.descriptors),
        "client": ("clients", scenario.clients.processes, 1, scenario.clients.descriptors),
    }[role]
    wanted = evidence.attempts.failed + evidence.peak_concurrent
    wanted = min(wanted, evidence.attempts.planned)
    need = each * wanted + 64 * workers  # listeners, pipes and the loop's own
    texts = []
    if limit is not None:
        texts.append(
            f"raise its limit ({part}.descriptors, now {format_count(limit)}): at most "
            f"{format_count(wanted)} connections at {each} each over {workers} "
            f"{'process' if workers == 1 else 'processes'} need "
            f"{format_count(math.ceil(need / workers))}"
        )
        field = "workers" if role == "balancer" else "processes"
        more = math.ceil(each * wanted / max(1, limit - 64))
        if more > workers:
            texts.append(f"{more} processes ({part}.{field}) of {format_count(limit)} each")
    else:
        texts.append("raise the limit of the shell that starts the run (ulimit -n)")
        texts.append(f"spread the connections over more processes ({part})")
    texts.append("shorten lifetimes: descriptors in use = rate x lifetime")
    return texts[:_MOST]


def refused_remedies(evidence: Evidence, refusing: int) -> list[str]:
    """What to do when a backend does not listen."""
    count = evidence.scenario.backends.count
    found = [
        (
            "start what should listen there, or take it out of the balancer's list: "
            f"{format_count(sum(evidence.errors.get('backend-refused', {}).values()))} connections "
            "would have succeeded"
        )
    ]
    retries = evidence.scenario.balancer.retries
    if evidence.scenario.balancer.driver != "none" and 0 < refusing < count:
        share = (refusing / count) ** (retries + 2)
        found.append(
            f"one more retry (balancer.retries: {retries + 1}): independent picks would fail for "
            f"{100 * share:.2g} % instead of {100 * (refusing / count) ** (retries + 1):.2g} %"
        )
    return found


def generator_remedies(evidence: Evidence) -> list[str]:
    """What lets the generator keep up."""
    attempts, processes = evidence.attempts, evidence.scenario.clients.processes
    share = attempts.sent / attempts.planned if attempts.planned else 1.0
    return [
        (
            f"{2 * processes} generator processes (clients.processes): up to "
            f"{format_rate(2 * share * evidence.asked_per_s)} where cores are free"
        ),
        f"ask for what it managed: {format_rate(share * evidence.asked_per_s)} or less",
    ]
