"""Randomness comes in through the door: every stream has its own name under the run's seed.

Adding a consumer never shifts the numbers another one gets, since streams are keyed by name and
not by order. numpy is imported late so that ``--help`` and ``validate`` do without it.
"""

from __future__ import annotations

import hashlib
from random import Random
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

#: `Random` is named here for annotations: a generator is made by this file and passed in.
__all__ = ["Random", "generator", "pure_random", "stream_key"]


def stream_key(seed: int, *names: str | int) -> int:
    """A 128-bit key of one named stream: BLAKE2b over the seed and the names."""
    text = "\x1f".join([str(seed), *map(str, names)])
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=16).digest(), "big")


def generator(seed: int, *names: str | int) -> np.random.Generator:
    """A numpy generator (PCG64) for one named stream, for arrays."""
    import numpy as np

    return np.random.Generator(np.random.PCG64(stream_key(seed, *names)))


def pure_random(seed: int, *names: str | int) -> Random:
    """A standard-library generator for one named stream, for one draw at a time."""
    return Random(stream_key(seed, *names))
