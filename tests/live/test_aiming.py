"""The pool as the conductor hands it on: to forgers as a target, to the records as it was drawn."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from simulator.live.aiming import aim, write_pools
from simulator.live.logbook import Logbook
from simulator.live.roster import Member
from simulator.live.settings import RoleSpec, SamplerRole
from tests.live.test_logbook import Lines

if TYPE_CHECKING:
    from collections.abc import Iterable

POOL = {"is": "pool", "ports": [50_001, 50_000], "lost_races": 2, "seen_by_kernel": 2}


class Crew:
    """A roster that keeps what is said to whom."""

    def __init__(self, *kinds: str) -> None:
        settings = SamplerRole(every_ns=1, hops=())  # only the kind matters here
        self.members = [Member(RoleSpec(kind=kind, index=0, settings=settings)) for kind in kinds]
        self.said: list[tuple[list[str], dict[str, Any]]] = []

    def of(self, *kinds: str) -> list[Member]:
        """The members of some kinds."""
        return [member for member in self.members if member.spec.kind in kinds]

    def tell(self, members: Iterable[Member], message: dict[str, Any]) -> None:
        """Keep it."""
        self.said.append(([one.spec.kind for one in members], message))


def test_forgers_learn_ports_and_servers_and_nobody_else_does() -> None:
    crew = Crew("client", "balancer", "forger")
    endpoints = [[0, "127.4.0.1", 5000], [1, "127.4.0.1", 5001]]
    (forger,) = aim(crew, [POOL], endpoints)  # type: ignore[arg-type]
    assert forger.spec.kind == "forger"
    ((whom, message),) = crew.said
    assert whom == ["forger"]
    assert message == {
        "do": "aim",
        "victim": "127.0.0.1",
        "ports": [50_001, 50_000],
        "servers": [["127.4.0.1", 5000], ["127.4.0.1", 5001]],
    }


def test_without_a_forger_nobody_is_waited_for() -> None:
    assert aim(Crew("client"), [], []) == []  # type: ignore[arg-type]


def test_the_pool_is_written_down_as_it_was_drawn() -> None:
    lines = Lines()
    write_pools([POOL], Logbook(lines))
    ((stream, record),) = lines.kept
    told = {key: POOL[key] for key in ("ports", "lost_races", "seen_by_kernel")}
    assert (stream, record) == ("events", {"t_ns": 0, "event": "dns-pool", **told})
