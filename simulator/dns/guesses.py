"""What a forger guesses: server, port and ID of a question he did not see, none of them twice.

A forger who draws at random repeats himself; one who walks through all combinations does not, and
within a window that holds fewer guesses than there are, each of them is a new chance. The walk
takes steps of a constant length that has no divisor in common with their number, so it meets every
one before it returns; as the question's own server, port and ID are drawn evenly, order is no help.

Source: RFC 5452, section 7.2: the odds of F packets are F / (N P I).
"""

from __future__ import annotations

from dataclasses import dataclass
from math import gcd
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from simulator.seeds import Random


@dataclass(frozen=True, slots=True, kw_only=True)
class Guess:
    """One combination, each part as an index."""

    server: int
    port: int
    ident: int


class Guesses:
    """An endless walk through all combinations.

    Args:
        servers: N, addresses that the answer may have to come from, >= 1.
        ports: P, ports that the question may have come from, >= 1.
        idents: I, IDs that it may have, >= 1.
        generator: where the walk's beginning and step are drawn from.

    Raises:
        ValueError: there is nothing to guess among.
    """

    def __init__(self, servers: int, ports: int, idents: int, generator: Random) -> None:
        if min(servers, ports, idents) < 1:
            raise ValueError("servers, ports and IDs are at least 1")
        self._servers = servers
        self._idents = idents
        self.combinations = servers * ports * idents
        self._at = generator.randrange(self.combinations)
        self._step = 1 + generator.randrange(self.combinations)
        while gcd(self._step, self.combinations) != 1:
            self._step += 1

    def draw(self) -> Guess:
        """The next guess."""
        self._at = (self._at + self._step) % self.combinations
        rest, ident = divmod(self._at, self._idents)
        port, server = divmod(rest, self._servers)
        return Guess(server=server, port=port, ident=ident)
