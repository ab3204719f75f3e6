"""What a compiled balancer leaves to the one in Python, refused by name where it is asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from simulator.scenario.care import KEYED_POLICIES, care_asked
from simulator.scenario.fields import about

if TYPE_CHECKING:
    from collections.abc import Iterator

    from simulator.scenario.balancer import Balancer
    from simulator.scenario.fields import Where

#: Policies that look at a client or at answers, for each connection.
_WATCHFUL_POLICIES = (*KEYED_POLICIES, "peak-ewma")


def compiled_can(balancer: Balancer) -> None:
    """Refuse what the compiled data path does not do.

    Raises:
        PydanticCustomError: something was asked for that it does not do.
    """
    wrong = list(_wrong(balancer)) if balancer.compiled else []
    if wrong:
        raise about(*wrong[0], *wrong[1:])


def _wrong(balancer: Balancer) -> Iterator[tuple[Where, str]]:
    if balancer.driver != "own":
        yield "compiled", f"is for our own relay, and driver is {balancer.driver}; delete it"
        return
    without = "with compiled: true; delete one of the two"
    if balancer.policy.name in _WATCHFUL_POLICIES:
        yield "policy", f"cannot be {balancer.policy.name} {without}"
    if balancer.source.ports == "permanent":
        yield "source.ports", f"cannot be permanent {without}"
    for key in care_asked(balancer):
        yield key, f"is not there {without}"
