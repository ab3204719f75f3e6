"""What a reader must know of a run that the model did: how, how fast, and what was never checked.

The model has been held against the kernel engine for some families of scenarios (`docs/model.md`).
What a scenario asks for beyond these is worked out by the same rules, and named as unvalidated.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from simulator.measure.nat import long_silences
from simulator.units import NS_PER_S, format_count, format_ns

if TYPE_CHECKING:
    from simulator.engine import Run
    from simulator.scenario.schema import Scenario

MODEL: Final = "model"
#: Policies that were held against the kernel engine (`docs/model.md`).
_CHECKED_POLICIES: Final = frozenset(
    {"round-robin", "least-connections", "two-choices", "maglev", "most-budget"}
)


def is_modelled(run: Run) -> bool:
    """Whether the model did this run, and nothing in it cost anything."""
    return run.manifest.get("engine") == MODEL


def unvalidated(scenario: Scenario) -> list[str]:
    """What of a scenario was never held against the kernel, in words."""
    backends, balancer, clients = scenario.backends, scenario.balancer, scenario.clients
    policy = balancer.policy.name
    asked = {
        f"policy {policy}": policy not in _CHECKED_POLICIES,
        "backends that hang from the start": backends.faults.hanging > 0,
        "backends that share a port": backends.processes > backends.count,
        "retry budgets": balancer.retry_budget is not None,
        "ejection by silence": balancer.ejection is not None
        and balancer.ejection.silence is not None,
        "several sidecar workers": scenario.sidecar is not None and scenario.sidecar.workers > 1,
        "echoes": backends.kind == "echo",
        "http answers that are failures": backends.kind == "http"
        and (backends.faults.error_rate > 0 or backends.queue is not None),
        "closed loops": scenario.loop == "closed",
        "clients.idle_timeout": clients.idle_timeout is not None,
        "no TCP timestamps": scenario.kernel.sysctls.get("net.ipv4.tcp_timestamps", 1) == 0,
        **others_rules(scenario),
    }
    return [name for name, is_asked in asked.items() if is_asked]


def others_rules(scenario: Scenario) -> dict[str, bool]:
    """Machines that are not here, whose numbers are those of their documentation."""
    nat = scenario.nat
    found = {} if nat is None else {f"NAT {nat.preset}, by its documentation": True}
    for source in (scenario.clients.source, scenario.balancer.source):
        name = f"ports of {source.system}, by its documentation"
        found[name] = source.system != "linux" or found.get(name, False)
    return found


def model_table(run: Run) -> dict[str, Any] | None:
    """``model`` of a summary; None where the kernel did the run.

    Returns:
        ``path``: ``events``, ``stretches``, ``streamed`` or ``compiled``; ``sent``: connections;
        ``took_s``: real time it took; ``per_s``: connections a second of real time;
        ``unvalidated``: what was never checked.
    """
    if not is_modelled(run):
        return None
    told = next((one for one in run.events if one.get("event") == MODEL), {})
    sent, took_ns = int(told.get("sent", 0)), int(told.get("took_ns", 0))
    return {
        "path": str(told.get("path", "events")),
        "sent": sent,
        "took_s": took_ns / NS_PER_S,
        "per_s": sent * NS_PER_S / took_ns if took_ns else 0.0,
        "unvalidated": unvalidated(run.scenario),
    }


def model_notes(run: Run) -> list[str]:
    """What is true of every run of the model."""
    scenario = run.scenario
    waits = format_ns(scenario.kernel.time_wait)
    texts = [
        (
            "Model: no socket was opened. A connect, a relayed byte and a close take no time and "
            "no CPU, there is no network, and the kernel's own costs are not in any number."
        ),
    ]
    if scenario.clients.source.system == "linux":
        texts.append(
            f"TIME_WAIT was {waits} to the nanosecond; the kernel counts it in whole "
            "milliseconds, and its own 60s as up to 64s."
        )
    if scenario.nat is not None:
        texts.append(
            "A connection for which the NAT had nothing failed at once; a real client waits and "
            "sends its SYN again after a second and longer, as clients.retry can say."
        )
        silent = long_silences(run)
        if silent:
            texts.append(
                f"{format_count(silent)} connections were silent for longer than the NAT "
                f"remembers ({format_ns(scenario.nat.rule.idle_ns)}), and it kept them."
            )
    if run.folded is not None:
        texts.append(
            "More connections than are ever kept: each was counted as it came, and no row of any "
            "is in the results. Not known are intervals of percentiles, and how evenly and how "
            "soon single ports were used again. After an early stop, nothing later was planned."
        )
    if scenario.balancer.close == "balancer":
        texts.append(
            "The balancer's idle timeout was exact; the relay's wheel is late by up to two "
            "thirty-seconds of it, and by up to 4ms for a short one."
        )
    beyond = unvalidated(scenario)
    if beyond:
        texts.append(f"Unvalidated, never held against the kernel: {', '.join(beyond)}.")
    return texts
