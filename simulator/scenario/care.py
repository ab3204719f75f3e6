"""How a balancer looks after its backends: checks, ejection, queues, retries, and policy names.

These are the parts of the scenario's `balancer` that stay off unless asked for. What is given and
would have no effect is refused by name.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal, get_args

from pydantic import Field

from simulator.scenario.fields import Count, Mapping, TimeNs, about, as_written

if TYPE_CHECKING:
    from simulator.scenario.balancer import Balancer

PlainPolicyName = Literal["round-robin", "random", "least-connections", "two-choices", "choices"]
PolicyName = Literal[
    "round-robin",
    "random",
    "least-connections",
    "two-choices",
    "choices",
    "weighted-round-robin",
    "weighted-least-connections",
    "peak-ewma",
    "source-hash",
    "ring-hash",
    "bounded-hash",
    "maglev",
    "most-budget",
]
#: Policies that go by who the client is.
KEYED_POLICIES = ("source-hash", "ring-hash", "bounded-hash", "maglev")
#: Policies whose picks follow `backends.weights`.
WEIGHTED_POLICIES = (
    "weighted-round-robin",
    "weighted-least-connections",
    "ring-hash",
    "bounded-hash",
)
#: Policies that compare connection counts, and so may be shown old ones.
LOAD_POLICIES = (
    "least-connections",
    "two-choices",
    "choices",
    "weighted-least-connections",
    "peak-ewma",
    "bounded-hash",
)


DEFAULT_PANIC = 0.5


class HealthChecks(Mapping):
    """A connect to each backend in turn, closed at once; each costs a tuple like any other."""

    every: TimeNs = Field(
        default=as_written("1s"), ge=10_000_000, description="time between two checks of a backend"
    )
    timeout: TimeNs = Field(
        default=as_written("500ms"), gt=0, description="longest wait for the connect"
    )
    fall: Annotated[Count, Field(le=100)] = Field(
        default=3, description="failures in a row that take a backend out"
    )
    rise: Annotated[Count, Field(le=100)] = Field(
        default=2, description="successes in a row that bring it back"
    )
    close: Literal["fin", "reset"] = Field(
        default="fin",
        description=(
            "how a check ends: `fin` leaves its tuple in TIME_WAIT, `reset` leaves nothing"
        ),
    )


class Ejection(Mapping):
    """Passive outlier ejection: what connections themselves tell about a backend."""

    failures: Annotated[Count, Field(le=1000)] = Field(
        default=5, description="failures in a row before a backend is left out"
    )
    for_ns: TimeNs = Field(
        alias="for",
        default=as_written("1s"),
        gt=0,
        description="how long, times how often it was left out already",
    )
    silence: Annotated[TimeNs, Field(gt=0)] | None = Field(
        default=None,
        description=(
            "answers count too: a connection that the backend cuts before its first byte, or on "
            "which it says nothing for so long, is as a connect that failed, and only an answer "
            "clears it; only connects count unless given"
        ),
    )


class Queue(Mapping):
    """First come, first served; one queue in each relay process."""

    size: Annotated[int, Field(ge=0, le=1_000_000, strict=True)] = Field(
        default=1000, description="connections that may wait; 0: none, all are refused at once"
    )
    timeout: TimeNs = Field(
        default=as_written("1s"), gt=0, description="one that waited for so long is refused"
    )


class RetryBudget(Mapping):
    """Each connection pays in a share of a retry, each retry takes one out."""

    share: Annotated[float, Field(gt=0, le=10)] = Field(
        default=0.2, description="retries earned by each connection"
    )
    reserve: Annotated[Count, Field(le=100_000)] = Field(
        default=10, description="what may be saved up, and what is there at the start"
    )


def care_asked(balancer: Balancer) -> tuple[str, ...]:
    """The keys by which a balancer is asked to look after its backends."""
    asked = {
        "health_checks": balancer.health_checks is not None,
        "ejection": balancer.ejection is not None,
        "cap": balancer.cap is not None,
        "retry_budget": balancer.retry_budget is not None,
        "on_no_port": balancer.on_no_port == "queue",
        "slow_start": bool(balancer.slow_start),
        "load_age": bool(balancer.load_age),
    }
    return tuple(key for key, is_asked in asked.items() if is_asked)


def care_is_used(balancer: Balancer) -> None:
    """Refuse what was asked for and would have no effect.

    Raises:
        PydanticCustomError: something was.
    """
    wrong: list[tuple[str, str]] = []
    if (
        balancer.panic != DEFAULT_PANIC
        and balancer.health_checks is None
        and balancer.ejection is None
    ):
        wrong.append(("panic", "is not used without health_checks or ejection; delete it"))
    if balancer.queue != Queue() and balancer.cap is None and balancer.on_no_port == "refuse":
        wrong.append(("queue", "is not used without cap or on_no_port: queue; delete it"))
    if balancer.retry_budget is not None and not balancer.retries:
        wrong.append(("retry_budget", "is not used with retries: 0; delete it"))
    if balancer.load_age and balancer.policy.name not in LOAD_POLICIES:
        wrong.append(("load_age", f"is not used by {balancer.policy.name}, which counts nothing"))
    if balancer.driver == "none":
        wrong += [
            (name, "is not done without a balancer; balancer.driver is none")
            for name in ("health_checks", "ejection", "cap", "retry_budget")
            if getattr(balancer, name) is not None
        ]
        wrong += [
            (name, "is not done without a balancer; balancer.driver is none")
            for name in ("slow_start", "load_age")
            if getattr(balancer, name)
        ]
        if balancer.on_no_port == "queue":
            wrong.append(("on_no_port", "is queue, but balancer.driver is none"))
        if balancer.policy.name not in get_args(PlainPolicyName):
            plain = ", ".join(get_args(PlainPolicyName))
            wrong.append(("policy", f"needs a balancer; without one clients can use {plain}"))
    if wrong:
        raise about(*wrong[0], *wrong[1:])
