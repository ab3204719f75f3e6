"""What the minder of a foreign balancer is told: the scenario's balancer, resolved into numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True, kw_only=True)
class DriverRole:
    """A balancer of others (scenario `balancer` with `driver: haproxy` or `nginx`).

    Attributes:
        driver: ``haproxy`` or ``nginx``.
        binary: path of the program.
        version: its own word.
        module: path of a module to load, "" = none.
        front: where clients connect.
        policy, choices, key, bound, weights: scenario `balancer.policy` and `backends.weights`.
        backends: how many there are, present or not.
        sources: source addresses; none = a plain connect.
        first, last: ports that it takes itself; 0 where the kernel picks.
        half_close: whether the end of one side is passed on, and that of the other awaited.
        check_every_ms: time between two health checks of a backend; 0 = none.
        moves: whether backends come and go, so that each server's counters are of interest.
        template: text of the user's own configuration, "" = made from all this.
    """

    driver: str
    binary: str
    version: str
    front: tuple[str, int]
    policy: str
    backends: int
    module: str = ""
    choices: int = 2
    key: str = "address"
    bound: float = 1.25
    weights: tuple[int, ...] = ()
    sources: tuple[str, ...] = ()
    first: int = 0
    last: int = 0
    connect_timeout_ms: int = 3_000
    idle_timeout_ms: int = 60_000
    retries: int = 1
    workers: int = 1
    buffer_bytes: int = 65_536
    backlog: int = 4_096
    close: str = "client"
    half_close: bool = True
    slow_start_ms: int = 0
    check_every_ms: int = 0
    check_timeout_ms: int = 0
    check_fall: int = 3
    check_rise: int = 2
    moves: bool = False
    template: str = ""

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> DriverRole:
        """Back from plain lists and mappings."""
        values: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value for name, value in data.items()
        }
        return cls(**values)
