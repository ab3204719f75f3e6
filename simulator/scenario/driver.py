"""Balancers of others as drivers of a scenario: what each can do, and what is refused by name.

A key that a driver cannot carry out is an error at its place, with the reason and the nearest thing
that it can do. What the drivers do was tried on HAProxy 2.6 and nginx 1.22.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

from simulator.scenario.care import care_asked
from simulator.scenario.fields import about, time_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from simulator.scenario.balancer import Balancer
    from simulator.scenario.fields import Where

DriverName = Literal["own", "none", "haproxy", "nginx", "resolver"]
#: Drivers that are programs of others.
FOREIGN: Final = ("haproxy", "nginx")
#: Policies that each of them has, in our words.
POLICIES: Final[Mapping[str, tuple[str, ...]]] = {
    "haproxy": (
        "round-robin",
        "random",
        "two-choices",
        "choices",
        "least-connections",
        "weighted-round-robin",
        "weighted-least-connections",
        "source-hash",
        "ring-hash",
        "bounded-hash",
    ),
    "nginx": (
        "round-robin",
        "random",
        "two-choices",
        "least-connections",
        "weighted-round-robin",
        "weighted-least-connections",
        "source-hash",
        "ring-hash",
    ),
}
#: Ways to take source ports that each of them has.
PORT_MODES: Final[Mapping[str, tuple[str, ...]]] = {
    "haproxy": ("kernel", "late-bind", "userspace"),
    "nginx": ("kernel", "late-bind"),
}
#: Source addresses among which nginx draws, by shares of whole hundredths of a per cent.
MOST_SPLITS: Final = 64
_CLOSES: Final[Mapping[str, Mapping[str, str]]] = {
    "haproxy": {
        "balancer": (
            "haproxy ends an idle connection to a backend by a FIN or by a reset, as it happens"
        )
    },
    "nginx": {"reset": "nginx answers a client's reset by an ordinary close toward the backend"},
}
#: HAProxy policies that are computed once, so that a share cannot grow slowly.
_STATIC: Final = ("source-hash",)
_MS: Final = 1_000_000


def driver_can(balancer: Balancer) -> None:
    """Refuse what a foreign driver cannot carry out.

    Raises:
        PydanticCustomError: something was asked for that it cannot do.
    """
    wrong = list(_wrong(balancer))
    if wrong:
        raise about(*wrong[0], *wrong[1:])


def _wrong(balancer: Balancer) -> Iterator[tuple[Where, str]]:
    driver = balancer.driver
    if driver not in FOREIGN:
        if balancer.config is not None:
            yield (
                "config",
                f"is not used with driver: {driver}; name haproxy or nginx, or delete it",
            )
        if not balancer.half_close and driver != "own":
            yield "half_close", f"is not used with driver: {driver}; delete it"
        return
    policy = balancer.policy
    if policy.name not in POLICIES[driver]:
        yield "policy", f"is {policy.name}, which {driver} has not; {_known(POLICIES[driver])}"
    elif policy.key == "connection" and driver == "haproxy":
        yield "policy.key", "is connection, but haproxy hashes the client's address alone here"
    why = _CLOSES[driver].get(balancer.close)
    if why:
        yield "close", f"is {balancer.close}, which {driver} cannot: {why}"
    if driver == "haproxy" and not balancer.half_close:
        yield "half_close", "is false, but haproxy always passes an end on; delete it"
    modes = PORT_MODES[driver]
    if balancer.source.ports not in modes:
        yield "source.ports", f"is {balancer.source.ports}, which {driver} cannot; {_known(modes)}"
    elif balancer.source.ports == "userspace" and balancer.source.pick != "sequential":
        yield "source.pick", f"is random, but {driver} takes its ports in turn; write sequential"
    if driver == "nginx" and balancer.source.addresses > MOST_SPLITS:
        yield (
            "source.addresses",
            f"is more than {MOST_SPLITS}, the most that nginx is asked to draw",
        )
    yield from _times(balancer)
    yield from _care(balancer)


def _known(names: tuple[str, ...]) -> str:
    return f"it has {', '.join(names)}"


def _times(balancer: Balancer) -> Iterator[tuple[Where, str]]:
    for key in ("connect_timeout", "idle_timeout", "slow_start"):
        value = getattr(balancer, key)
        if value % _MS:
            yield key, f"is {time_text(value)}, but {balancer.driver} counts in whole milliseconds"


def _care(balancer: Balancer) -> Iterator[tuple[Where, str]]:
    """The parts that look after backends."""
    driver, own = balancer.driver, "only driver: own can"
    asked = care_asked(balancer) + ("descriptors",) * (balancer.descriptors is not None)
    for key, what in (
        ("ejection", "leave backends out by our rule"),
        ("cap", "bound connections with one bounded queue"),
        ("retry_budget", "bound retries by a budget"),
        ("on_no_port", "let clients wait for a source port"),
        ("load_age", "compare counts that are old"),
        ("descriptors", "be made to run out of descriptors"),
    ):
        if key in asked:
            yield key, f"is not there with {driver}; {own} {what}"
    if balancer.slow_start and driver == "nginx":
        yield "slow_start", "is not there with nginx as Debian has it"
    elif balancer.slow_start and balancer.policy.name in _STATIC:
        yield "slow_start", f"is not there with haproxy and {balancer.policy.name}"
    checks = balancer.health_checks
    if checks is None:
        return
    if driver == "nginx":
        yield "health_checks", "are not there with nginx as Debian has it"
        return
    if checks.close == "fin":
        yield "health_checks.close", "is fin, but haproxy ends its checks by a reset; write reset"
    if balancer.panic:
        yield "panic", f"is {balancer.panic:g}, but haproxy knows no panic; write panic: 0"
    for name in ("every", "timeout"):
        if getattr(checks, name) % _MS:
            yield f"health_checks.{name}", "is no whole number of ms, in which haproxy counts"
