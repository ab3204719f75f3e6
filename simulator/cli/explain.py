"""`portchurn explain`: what a run would create, need and hit, by arithmetic; nothing is started."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

import click

from simulator.cli.options import (
    output_option,
    overrides_option,
    scenario_argument,
    seed_option,
)
from simulator.errors import EXIT_OK, EXIT_REFUSED, Refused, UsageError
from simulator.units import format_bytes, format_count, format_ns, format_rate

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from simulator.preflight.examine import Preflight
    from simulator.scenario.load import Loaded
    from simulator.scenario.phases import Phase
    from simulator.scenario.schema import Scenario
    from simulator.scenario.trace_file import Trace
    from simulator.traffic.plan import Plan


_KINDS: Final = {
    "stream": "backends",
    "echo": "echo backends",
    "http": "HTTP backends",
    "dns": "DNS servers",
}
_MOVES: Final = {"leave": "leaves", "back": "is back"}
_MOVES_SHOWN: Final = 8


@click.command(name="explain")
@scenario_argument
@overrides_option
@seed_option
@click.option("--variant", help="Only this variant of the scenario.")
@click.option("--plan", "show_plan", is_flag=True, help="Print the plan, one line a connection.")
@output_option
def command(
    file: Path,
    overrides: tuple[str, ...],
    seed: int | None,
    variant: str | None,
    show_plan: bool,
    output: str,
) -> int:
    """Say what a run of FILE would create, need and hit, before anything runs."""
    from simulator.scenario.load import load_file

    loaded = load_file(file, overrides=overrides, seed=seed, only=variant)
    chosen = chosen_variants(loaded, variant)
    if show_plan:
        return _print_plans(chosen, loaded.traces)
    code = EXIT_OK
    answers = []
    for name, scenario in chosen:
        answer, text = _explained(name, scenario, loaded.traces)
        answers.append(answer)
        if answer["refusals"]:
            code = EXIT_REFUSED
        if output == "text":
            click.echo(text)
    if output == "json":
        click.echo(json.dumps(answers, indent=2))
    return code


def chosen_variants(loaded: Loaded, variant: str | None) -> list[tuple[str, Scenario]]:
    """Name and scenario of what would run: each variant, or the scenario itself."""
    named = [(one.name, one.scenario) for one in loaded.variants] or [("", loaded.scenario)]
    if variant is None:
        return named
    known = [(name, scenario) for name, scenario in named if name == variant]
    if not known:
        names = ", ".join(name for name, _ in named if name) or "none"
        raise UsageError(f"There is no variant {variant!r}; there are: {names}")
    return known


def _print_plans(chosen: list[tuple[str, Scenario]], traces: Mapping[str, Trace]) -> int:
    from simulator.traffic.plan import make_plan

    for name, scenario in chosen:
        for line in plan_lines(make_plan(scenario, traces), scenario.seed, name):
            click.echo(line)
        for line in move_lines(scenario):
            click.echo(f"# {line}")
    return EXIT_OK


def plan_lines(plan: Plan, seed: int, variant: str) -> Iterator[str]:
    """A plan as text, the same for the same plan: a head, then one line a connection."""
    from simulator.scenario.complaint import printable

    named = f" variant={printable(variant)!r}" if variant else ""
    yield f"# plan sha256={plan.digest} seed={seed}{named}"
    yield f"# {plan.connections} connections, {plan.requests} requests, {plan.duration_ns} ns"
    names = ("due_ns", "lifetime_ns", "phase", "request_bytes", "response_bytes")
    yield f"# {' '.join(names)} service_ns,..."
    columns = [plan.columns[name] for name in names]
    first, requests = plan.columns["first_service"], plan.columns["requests"]
    for row in range(plan.connections):
        begin = int(first[row])
        services = plan.service_ns[begin : begin + int(requests[row])]
        values = " ".join(str(int(column[row])) for column in columns)
        yield f"{values} {','.join(map(str, services.tolist())) or '-'}"


def move_lines(scenario: Scenario) -> Iterator[str]:
    """Each planned move of a backend, in order of time; the same for the same seed."""
    from simulator.traffic.churn import plan_moves

    for move in plan_moves(scenario):
        how = f" ({move.how})" if move.how else ""
        yield f"{format_ns(move.t_ns)}: backend {move.backend} {_MOVES[move.action]}{how}"


def _moves(scenario: Scenario) -> Iterator[str]:
    """How much moves, and the first few moves."""
    from simulator.traffic.churn import plan_moves

    moves = plan_moves(scenario)
    left = sum(move.action == "leave" for move in moves)
    yield (
        f"{format_count(left)} departures, {format_count(len(moves) - left)} returns; told after "
        f"{format_ns(scenario.balancer.learns_after)}; a port rests for "
        f"{format_ns(scenario.backends.quarantine)} before it is taken again"
    )
    yield from islice(move_lines(scenario), _MOVES_SHOWN)
    if len(moves) > _MOVES_SHOWN:
        yield f"and {format_count(len(moves) - _MOVES_SHOWN)} more: explain --plan names them all"


def _explained(
    name: str, scenario: Scenario, traces: Mapping[str, Trace]
) -> tuple[dict[str, Any], str]:
    """One scenario's answer, as data and as text."""
    from simulator.kernel.limits import read_machine
    from simulator.preflight.examine import examine
    from simulator.preflight.model_only import model_only
    from simulator.traffic.churn import plan_moves
    from simulator.traffic.plan import make_plan
    from simulator.traffic.stream import is_too_long

    try:
        plan = make_plan(scenario, traces)
    except Refused as error:
        if is_too_long(scenario, traces):
            from simulator.model.stream_run import who_can

            error = Refused(f"{error}\n{who_can(scenario)}")
        refused = {"variant": name, "title": scenario.title, "refusals": [str(error)]}
        return refused, f"{_head(name, scenario)}\nREFUSED\n{error}\n"
    flight = examine(scenario, plan, read_machine())
    if model_only(scenario):
        from simulator.model.scope import beyond

        # It is no program of this machine, so this machine's limits are not the question.
        flight = replace(flight, refusals=tuple(beyond(scenario)))
    answer: dict[str, Any] = {"variant": name, "title": scenario.title}
    answer |= finite(asdict(flight))
    if scenario.backends.churn is not None:
        answer["moves"] = [asdict(move) for move in plan_moves(scenario)]
    return answer, "\n".join([_head(name, scenario), *_lines(scenario, plan, flight), ""])


def finite(node: Any) -> Any:  # noqa: ANN401 - any part of the answer
    """JSON has no infinity: a ceiling that does not exist is null."""
    if isinstance(node, dict):
        return {key: finite(value) for key, value in node.items()}
    if isinstance(node, list | tuple):
        return [finite(value) for value in node]
    return None if isinstance(node, float) and node == float("inf") else node


def _head(name: str, scenario: Scenario) -> str:
    from simulator.scenario.complaint import printable

    variant = f"  [{printable(name)}]" if name else ""
    return f"{printable(scenario.title)}{variant}"


def _lines(scenario: Scenario, plan: Plan, flight: Preflight) -> Iterator[str]:
    from simulator.preflight.model_only import model_only
    from simulator.records import Hop

    only = model_only(scenario)
    fits = f"FITS the model engine ({only[0]})" if only else "FITS this machine"
    yield "REFUSED" if flight.refusals else fits
    yield from (f"  {refusal}" for refusal in flight.refusals)
    yield f"PLAN  seed {scenario.seed}, sha256 {flight.digest}"
    yield (
        f"  {format_count(flight.connections)} connections, {format_count(flight.requests)} "
        f"requests, at most {format_count(flight.peak_open)} open at once, "
        f"about {flight.seconds:,.0f} s in all"
    )
    counts = _phase_counts(plan, len(scenario.traffic))
    for phase, count in zip(scenario.traffic, counts, strict=True):
        yield f"  {_phase(phase, count)}"
    yield "CREATES"
    yield from (f"  {line}" for line in _creates(scenario))
    if scenario.nat is not None:
        from simulator.preflight.nat import nat_lines

        yield "NAT"
        yield from (f"  {line}" for line in nat_lines(scenario))
    if scenario.backends.churn is not None:
        yield "MOVES"
        yield from (f"  {line}" for line in _moves(scenario))
    yield "NEEDS"
    for role in flight.roles:
        limit = f"limit {format_count(role.limit)}{', set by the scenario' * role.is_chosen}"
        yield f"  {role.role} x {role.processes}: {role.sentence} ({limit})"
    yield f"  memory {format_bytes(flight.memory_bytes)}"
    yield f"  disk up to {format_bytes(flight.disk_bytes)}"
    yield "TUPLES"
    for hop in flight.hops:
        shared = "toward each destination" if hop.per == "tuple" else "toward all destinations"
        part = "source" if hop.name != Hop.NAT_BACKEND.label else "share"
        lost = f", without {hop.reserved} reserved" * bool(hop.reserved)
        lost += f", without {hop.listening} held by listeners" * bool(hop.listening)
        yield (
            f"  {hop.name}: ports {hop.range_text} ({hop.mode}){lost}: "
            f"{format_count(hop.budget)} for each {part} {shared}, "
            f"{format_count(hop.total)} in all"
        )
    yield "CEILING  on an ideal network, spread evenly"
    yield from (f"  {ceiling.sentence}" for ceiling in flight.ceilings)
    if flight.notes:
        yield "NOTES"
        yield from (f"  {note}" for note in flight.notes)


def _phase_counts(plan: Plan, phases: int) -> list[int]:
    import numpy as np

    counts: list[int] = np.bincount(plan.columns["phase"], minlength=phases).tolist()
    return counts


def _phase(phase: Phase, count: int) -> str:
    from simulator.scenario.complaint import printable
    from simulator.traffic.shapes import words

    name = printable(phase.name) + (" (warm-up)" if phase.warmup else "")
    if phase.hold is not None:
        hold = phase.hold
        rises = f", reached after {format_ns(hold.ramp)}," if hold.ramp else ""
        how = f"opened at {format_rate(hold.rate)}{rises} in {format_ns(hold.opening_ns)} and held"
    elif phase.users is not None:
        users = phase.users
        how = f"closed loop of {format_count(users.count)} users thinking {format_ns(users.think)}"
    else:
        assert phase.arrivals is not None, "a phase has arrivals or hold"
        kind = "constant" if phase.arrivals.constant is not None else "poisson"
        rate = phase.arrivals.rate
        how = f"{kind} {words(rate)}" if rate else f"as in {printable(phase.arrivals.trace or '')}"
    return f"{name}: {format_ns(phase.for_ns)}, {how}, {format_count(count)} connections"


def _creates(scenario: Scenario) -> Iterator[str]:
    from simulator.preflight.dns import resolver_words
    from simulator.preflight.drivers import driver_words
    from simulator.scenario.driver import FOREIGN

    kernel, backends, balancer = scenario.kernel, scenario.backends, scenario.balancer
    yield (
        f"a private network namespace: ports {kernel.port_range}, "
        f"TIME_WAIT {format_ns(kernel.time_wait)}"
    )
    where = f"{_KINDS[backends.kind]} on {backends.addresses}"
    where += f" address{'es' * (backends.addresses > 1)}"
    yield (
        f"{format_count(backends.count)} {where}, listening ports by {backends.ports}, "
        f"in {backends.processes} process{'es' * (backends.processes > 1)}"
    )
    if balancer.driver == "none":
        yield "no balancer: clients connect straight to the backends"
    elif balancer.driver in FOREIGN:
        yield driver_words(scenario)
    elif balancer.resolver is not None:
        yield resolver_words(scenario)
    else:
        yield (
            f"{balancer.workers} relay worker{'s' * (balancer.workers > 1)}, policy "
            f"{balancer.policy.name}, source ports by {balancer.source.ports} from "
            f"{balancer.source.addresses} address{'es' * (balancer.source.addresses > 1)}, "
            f"closed first by {balancer.close}"
        )
    sidecar = scenario.sidecar
    if sidecar is not None:
        yield (
            f"before it a sidecar of {sidecar.workers} relay worker{'s' * (sidecar.workers > 1)}, "
            f"source ports by {sidecar.source.ports} from {sidecar.source.addresses} "
            f"address{'es' * (sidecar.source.addresses > 1)}"
        )
    clients = scenario.clients
    yield (
        f"{clients.processes} client process{'es' * (clients.processes > 1)}, source ports by "
        f"{clients.source.ports} from {clients.source.addresses} "
        f"address{'es' * (clients.source.addresses > 1)}"
    )
