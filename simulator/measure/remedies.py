"""What would mend a run, each remedy with what it would gain by arithmetic, most gain first.

A remedy for ports is the scenario with one thing changed: its gain is the wall of the changed
scenario divided by the wall of this one (`walls`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from simulator.measure.check_remedies import check_remedies
from simulator.measure.system_remedies import system_changes
from simulator.measure.walls import PART_OF, gain, moved, wall_of, with_part, with_source
from simulator.ports.budget import ports_within
from simulator.ports.range import PortRange
from simulator.preflight.hops import TOWARD_A_RELAY, source_of, source_ports
from simulator.records import Hop
from simulator.scenario.driver import PORT_MODES
from simulator.units import NS_PER_S, format_count, format_ns, format_rate

if TYPE_CHECKING:
    from simulator.measure.evidence import Evidence
    from simulator.measure.hops import HopFacts
    from simulator.scenario.schema import Scenario

#: Requests on one connection in the keep-alive remedy: few enough for any client to manage.
_KEEP_ALIVE: Final = 10
#: All that is not reserved for system services.
_WIDEST: Final = PortRange(1024, 65535)
_MOST: Final = 3


@dataclass(frozen=True, slots=True)
class Remedy:
    """A text, and by which factor it moves the wall."""

    gain: float
    text: str


def in_order(remedies: list[Remedy]) -> list[str]:
    """Texts of the remedies that gain anything, most first, at most three."""
    useful = [remedy for remedy in remedies if remedy.gain > 1.0]
    return [remedy.text for remedy in sorted(useful, key=lambda r: -r.gain)[:_MOST]]


def _key(facts: HopFacts) -> str:
    return f"{PART_OF.get(facts.hop, 'clients')}.source"


def port_remedies(evidence: Evidence, facts: HopFacts, *, lost_to_time_wait: bool) -> list[str]:
    """What gives a hop more tuples, or gives them back sooner, or makes it need fewer.

    Args:
        evidence: of the run.
        facts: of the hop that ran out.
        lost_to_time_wait: whether closed connections rather than open ones took the tuples, so
            that the wall is a rate; else it is a number of connections at once.
    """
    scenario, hop = evidence.scenario, facts.hop
    before = wall_of(scenario, hop, evidence.hold_s)
    changes = _more_tuples(evidence, facts, lost_to_time_wait)
    if lost_to_time_wait:
        changes += _sooner_back(scenario, facts)
    changes += system_changes(scenario, hop)
    found = []
    for what, changed in changes:
        after = wall_of(changed, hop, evidence.hold_s)
        text = f"{what}: {moved(before, after, by_rate=lost_to_time_wait)}"
        found.append(Remedy(gain(before, after, by_rate=lost_to_time_wait), text))
    if lost_to_time_wait:
        found += keep_alive(evidence)
    return check_remedies(scenario, facts) + in_order(found)


def _more_tuples(
    evidence: Evidence, facts: HopFacts, lost_to_time_wait: bool
) -> list[tuple[str, Scenario]]:
    """Changes that give a hop more tuples: words, and the changed scenario."""
    scenario, hop, key = evidence.scenario, facts.hop, _key(facts)
    source = source_of(scenario, hop)
    wall = wall_of(scenario, hop, evidence.hold_s)
    need = evidence.asked_per_s / wall.rate_per_s if lost_to_time_wait and wall.rate_per_s else 2
    addresses = facts.sources * max(2, math.ceil(need))
    found = [
        (
            f"{format_count(addresses)} source addresses ({key}.addresses)",
            with_source(scenario, hop, addresses=addresses),
        )
    ]
    if source.ports in ("early-bind", "permanent"):
        found.append(
            (
                (
                    f"pick the port at connect ({key}.ports: late-bind), so that each of "
                    f"{format_count(facts.destinations)} destinations has the whole range"
                ),
                with_source(scenario, hop, ports="late-bind", range=None),
            )
        )
    elif hop not in TOWARD_A_RELAY and not lost_to_time_wait:
        found.append(
            (
                "twice the destinations, such as a second port for each backend (backends.count)",
                with_part(scenario, "backends", count=2 * scenario.backends.count),
            )
        )
    lends = source.ports not in ("userspace", "permanent")  # else nothing keeps to reservations
    if lends and ports_within(source_ports(scenario, source), scenario.kernel.reserved_ports):
        text = "reserve only what is listened on (kernel.reserved_ports), and give the rest back"
        found.append((text, with_part(scenario, "kernel", reserved_ports=())))
    own = source.range is not None
    wider = (
        with_source(scenario, hop, range=_WIDEST)
        if own
        else with_part(scenario, "kernel", port_range=_WIDEST)
    )
    name = f"{key}.range" if own else "kernel.port_range"
    return [*found, (f"a wider range ({name}: {_WIDEST})", wider)]


def _sooner_back(scenario: Scenario, facts: HopFacts) -> list[tuple[str, Scenario]]:
    """Changes after which a closed connection gives its tuple back sooner, or at once."""
    key = _key(facts)
    owner = f"the {PART_OF[facts.hop]}'s" if facts.hop in PART_OF else "the clients'"
    found = [
        (
            (
                f"let the backend close first (balancer.close: backend), so that {owner} ports "
                f"are not held in TIME_WAIT"
            ),
            with_part(scenario, "balancer", close="backend"),
        )
    ]
    if scenario.kernel.time_wait > NS_PER_S:
        found.append(
            (
                "reuse TIME_WAIT after 1s (kernel.time_wait: 1s, that is tcp_tw_reuse=1)",
                with_part(scenario, "kernel", time_wait=NS_PER_S),
            )
        )
    driver = scenario.balancer.driver
    modes = PORT_MODES.get(driver) if facts.hop is Hop.BALANCER_BACKEND else None
    can_name = modes is None or "userspace" in modes
    if source_of(scenario, facts.hop).ports != "permanent" and can_name:
        found.append(
            (
                (
                    f"name the port in bind() ({key}.ports: userspace), which takes one's own "
                    "TIME_WAIT over at once"
                ),
                with_source(scenario, facts.hop, ports="userspace"),
            )
        )
    return found


def keep_alive(evidence: Evidence) -> list[Remedy]:
    """Several requests on each connection, as far as they are not asked for already."""
    now = max(1.0, *(phase.requests.mean for phase in evidence.scenario.traffic))
    if now >= _KEEP_ALIVE:
        return []
    factor = _KEEP_ALIVE / now
    return [
        Remedy(
            factor,
            f"keep connections alive for {_KEEP_ALIVE} requests each: needs 1/{factor:.3g} of the "
            f"connections, {format_rate(evidence.asked_per_s)} -> "
            f"{format_rate(evidence.asked_per_s / factor)}",
        )
    ]


def half_closed_remedies(facts: HopFacts) -> list[str]:
    """What ends connections that one side only has closed."""
    half = format_count(facts.half_closed_peak)
    return [
        (
            f"let the accepting side close when it reads the end of the stream: {half} connections "
            f"wait for that"
        )
    ]


def queue_remedies(evidence: Evidence, hop: str) -> list[str]:
    """What keeps an accept queue from overflowing."""
    scenario = evidence.scenario
    at_backend = hop in (Hop.BALANCER_BACKEND.label, Hop.CLIENT_BACKEND.label)
    at_sidecar = hop == Hop.CLIENT_SIDECAR.label and scenario.sidecar is not None
    relay = (scenario.sidecar if at_sidecar else None) or scenario.balancer
    part = "backends" if at_backend else "sidecar" if at_sidecar else "balancer"
    asked = scenario.backends.backlog if at_backend else relay.backlog
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
        workers = relay.workers
        found.append(
            Remedy(
                2,
                f"{2 * workers} workers ({part}.workers), each with a queue of its own: "
                f"{format_count(now * workers)} -> {format_count(now * workers * 2)} "
                f"connections wait",
            )
        )
    return in_order(found)


def descriptor_remedies(evidence: Evidence, role: str) -> list[str]:
    """What gives a role enough descriptors: a limit, or more processes."""
    scenario = evidence.scenario
    sidecar = scenario.sidecar or scenario.balancer
    part, workers, each, limit = {
        "sidecar": ("sidecar", sidecar.workers, 2, sidecar.descriptors),
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
        field = "workers" if role in ("balancer", "sidecar") else "processes"
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
    scenario = evidence.scenario
    count, retries = scenario.backends.count, scenario.balancer.retries
    lost = format_count(sum(evidence.errors.get("backend-refused", {}).values()))
    texts = [f"start what should listen there: the {lost} connections that failed would succeed"]
    direct = scenario.balancer.driver == "none"
    if not direct and 0 < refusing < count:
        now, then = ((refusing / count) ** (tries + 1) for tries in (retries, retries + 1))
        texts.append(
            f"one more retry (balancer.retries: {retries + 1}): if picks are independent, "
            f"{100 * now:.3g} % -> {100 * then:.3g} % of connections fail"
        )
    left = count - refusing
    who = "clients'" if direct else "balancer's"
    texts.append(
        f"take it out of the {who} list: the other {format_count(left)} would get "
        f"{format_rate(evidence.asked_per_s / left)} each"
        if left > 0
        else f"add a backend that listens (backends.count): it would get "
        f"{format_rate(evidence.asked_per_s)}"
    )
    return texts


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
