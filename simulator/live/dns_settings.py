"""What a DNS resolver and its forger are told: the scenario's part, resolved into numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True, kw_only=True)
class ResolverRole:
    """A resolver (scenario `balancer` with `driver: resolver`).

    Attributes:
        front: where stub clients ask.
        policy, choices: scenario `balancer.policy`, which server is asked.
        pool_size: sockets of the pool.
        pool_first, pool_last: ports that it is drawn from.
        exclude: first and last port of each exclusion.
        choice: ``random`` or ``in-turn``.
        id_bits: random bits of an ID.
        cache_ns: how long an answer is kept, 0 = not at all.
        timeout_ns: wait for one server.
        retries: further questions after a timeout.
        seed: key of the random streams.
    """

    front: tuple[str, int]
    policy: str
    choices: int
    pool_size: int
    pool_first: int
    pool_last: int
    exclude: tuple[tuple[int, int], ...]
    choice: str
    id_bits: int
    cache_ns: int
    timeout_ns: int
    retries: int
    seed: int

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> ResolverRole:
        """Back from plain lists and mappings."""
        exclude = tuple((int(first), int(last)) for first, last in data["exclude"])
        address, port = data["front"]
        return cls(**{**data, "exclude": exclude, "front": (address, port)})


@dataclass(frozen=True, slots=True, kw_only=True)
class ForgerRole:
    """A forger (scenario `balancer.resolver.forger`).

    Attributes:
        rate_per_s: forged answers a second.
        packets: most of them in all.
        first, last: ports that it guesses among; 0 = those of the pool, which it is told.
        idents: IDs that it guesses among.
        until_ns: when it ends, ns since the start of the run.
        seed: key of its random stream.
    """

    rate_per_s: float
    packets: int
    first: int
    last: int
    idents: int
    until_ns: int
    seed: int
