"""What the model does not do yet: refused by name, since what is left out silently is a lie.

The model knows tuples, their states and waits, who closes first, policies, retries, queues of
requests, churn and faults. It has no kernel, no CPU and no network; whatever a scenario asks for
that would need one of them has its line here.
"""

from __future__ import annotations

from itertools import permutations
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Final

from simulator.errors import Refused
from simulator.ports.budget import ports_within
from simulator.preflight.hops import source_ports
from simulator.preflight.model_only import model_only
from simulator.preflight.nat import too_silent
from simulator.scenario.schema import BINDS_A_PORT, KERNEL_PICKS

if TYPE_CHECKING:
    from simulator.scenario.churn import Churn
    from simulator.scenario.schema import Scenario

#: Settings that change nothing in the model, or that it obeys.
_SYSCTLS: Final = frozenset({"net.ipv4.tcp_timestamps", "net.ipv4.ip_unprivileged_port_start"})
_DRIVERS: Final = ("own", "none")
#: Keys that this list knows, by part; a key that is added to the grammar is refused until it is
#: put here or given a rule.
_KNOWN: Final = {
    "kernel": {"port_range", "reserved_ports", "time_wait", "somaxconn", "sysctls"},
    "backends": {
        *("count", "processes", "addresses", "kind", "ports", "range", "service_time", "backlog"),
        *("accept_every", "idle_timeout", "refusing", "descriptors", "concurrency", "faults"),
        *("stream", "churn", "quarantine", "weights", "queue", "flapping"),
    },
    "balancer": {
        *("driver", "policy", "workers", "source", "close", "connect_timeout", "retries"),
        *("idle_timeout", "buffer", "backlog", "descriptors", "learns_after", "health_checks"),
        *("ejection", "panic", "cap", "queue", "on_no_port", "slow_start", "retry_budget"),
        *("load_age", "compiled", "half_close"),
    },
    "clients": {"processes", "source", "timeout", "descriptors", "idle_timeout", "retry"},
    "backends.faults": {"error_rate", "slow", "slow_factor", "hanging"},
    "balancer.source": {"addresses", "ports", "pick", "range", "system", "time_wait"},
    "clients.source": {"addresses", "ports", "pick", "range", "system", "time_wait"},
    "balancer.policy": {"name", "choices", "key", "bound"},
}
_SIDECAR: Final = {
    *("source", "workers", "connect_timeout", "idle_timeout", "backlog", "descriptors"),
}
_PHASE: Final = {
    *("name", "for_ns", "warmup", "arrivals", "hold", "users", "lifetime", "requests", "think"),
    *("request_size", "response_size"),
}
_TOP: Final = {
    *("schema_", "title", "expect", "seed", "kernel", "backends", "balancer", "sidecar", "clients"),
    *("nat", "traffic", "grace", "sampling", "thresholds", "variants", "lesson"),
}


def beyond(scenario: Scenario) -> list[str]:
    """What of a scenario the model cannot do, one reason a line; empty when it can do all."""
    return [
        *_unknown(scenario),
        *_relays(scenario),
        *_servers(scenario),
        *_ports(scenario),
        *too_silent(scenario),
    ]


def refuse_what_is_beyond(scenario: Scenario) -> None:
    """Raise if a scenario asks for what the model cannot do.

    Raises:
        Refused: every reason, by the name of its key.
    """
    reasons = beyond(scenario)
    if reasons:
        lines = "\n".join(f"  {one}" for one in reasons)
        other = "nor can the kernel engine" if model_only(scenario) else "use --engine kernel"
        raise Refused(f"The model engine cannot do this yet; {other}:\n{lines}")


def _given(model: Any) -> set[str]:  # noqa: ANN401 - any part of a scenario
    """Keys of a part that do not have their default."""
    fields = type(model).model_fields
    return {
        name
        for name, field in fields.items()
        if getattr(model, name) != field.get_default(call_default_factory=True)
    }


def _unknown(scenario: Scenario) -> list[str]:
    """Keys that were added to the grammar after the model was written."""
    parts = [(name, attrgetter(name)(scenario), known) for name, known in _KNOWN.items()]
    found = [
        f"{name}.{key} is new to the model"
        for name, part, known in parts
        for key in sorted(_given(part) - known)
    ]
    found += [
        f"traffic.{phase.name}.{key} is new to the model"
        for phase in scenario.traffic
        for key in sorted(_given(phase) - _PHASE)
    ]
    found += [f"{key} is new to the model" for key in sorted(_given(scenario) - _TOP)]
    if scenario.backends.kind == "dns":
        found.append("backends.kind: dns answers by UDP, which the model has not")
    if scenario.backends.ports == "fixed":
        found.append("backends.ports: fixed is not modelled; permanent has one port each, too")
    return found


def _relays(scenario: Scenario) -> list[str]:
    balancer = scenario.balancer
    found = []
    if balancer.driver == "resolver":
        found.append("balancer.driver: resolver asks by UDP, which the model has not")
    elif balancer.driver not in _DRIVERS:
        found.append(f"balancer.driver: {balancer.driver} is a real program")
    sidecar = scenario.sidecar
    if sidecar is not None:
        if sidecar.idle_timeout < balancer.idle_timeout:
            found.append("sidecar.idle_timeout is not modelled below balancer.idle_timeout")
        if sidecar.descriptors is not None:
            found.append("sidecar.descriptors: the model has no descriptors")
        found += [
            f"sidecar.{key} is new to the model" for key in sorted(_given(sidecar) - _SIDECAR)
        ]
    checks, churn = balancer.health_checks, scenario.backends.churn
    hangs = scenario.backends.faults.hanging or (churn is not None and _may_hang(churn))
    if checks is not None and checks.close == "fin" and hangs:
        found.append(
            "balancer.health_checks.close: fin toward a backend that hangs is half a close that "
            "nobody answers, and is not modelled; reset is"
        )
    return found


def _may_hang(churn: Churn) -> bool:
    return churn.leave == "hang" or any(one.leave == "hang" for one in churn.at)


def _servers(scenario: Scenario) -> list[str]:
    backends = scenario.backends
    found = []
    stream = backends.stream
    has_balancer = scenario.balancer.driver != "none"
    if stream is not None and has_balancer and stream.every >= scenario.balancer.idle_timeout:
        found.append("backends.stream.every is not modelled at or above balancer.idle_timeout")
    if backends.accept_every:
        found.append("backends.accept_every is not modelled: nobody is late to accept")
    limits = {
        "backends": backends.descriptors,
        "balancer": scenario.balancer.descriptors,
        "clients": scenario.clients.descriptors,
    }
    found += [
        f"{name}.descriptors: the model has no descriptors"
        for name, limit in limits.items()
        if limit is not None
    ]
    found += [
        f"kernel.sysctls.{name}: the model has no such setting"
        for name in sorted(scenario.kernel.sysctls)
        if name not in _SYSCTLS
    ]
    return found


def _ports(scenario: Scenario) -> list[str]:
    """Ports that one hop binds and another one's kernel choice would pass over."""
    if scenario.balancer.driver == "none":
        return []
    found = []
    sides = {"clients": scenario.clients.source, "balancer": scenario.balancer.source}
    if scenario.sidecar is not None:
        sides["sidecar"] = scenario.sidecar.source
    for binder, chooser in permutations(sides, 2):
        binding, choosing = sides[binder], sides[chooser]
        if binding.ports not in BINDS_A_PORT or choosing.ports not in KERNEL_PICKS:
            continue
        ports = source_ports(scenario, choosing)
        if ports_within(ports, [source_ports(scenario, binding)]):
            found.append(
                f"{binder}.source.range: {binder} bind ports in the range that the kernel hands "
                f"out to {chooser}, and the model does not take these away"
            )
    return found
