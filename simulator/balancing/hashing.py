"""Hashes that scatter: the same on every machine and run, unlike Python's own `hash` of a text.

Source: Steele, Lea, Flood, "Fast Splittable Pseudorandom Number Generators", OOPSLA 2014 (the
finalizer of SplitMix64, after Stafford's variant 13).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

MASK: Final = (1 << 64) - 1
_STEP: Final = 0x9E3779B97F4A7C15
_FIRST: Final = 0xBF58476D1CE4E5B9
_SECOND: Final = 0x94D049BB133111EB


def scatter(number: int, salt: int = 0) -> int:
    """A number of 64 bits, uniform as far as anything here can tell.

    Args:
        number: what is hashed, >= 0; its lower 64 bits count.
        salt: another hash for each salt.
    """
    mixed = (number + (salt + 1) * _STEP) & MASK
    mixed = ((mixed ^ (mixed >> 30)) * _FIRST) & MASK
    mixed = ((mixed ^ (mixed >> 27)) * _SECOND) & MASK
    return mixed ^ (mixed >> 31)


def scatter_all(numbers: NDArray[Any], salt: int = 0) -> NDArray[np.uint64]:
    """`scatter` of each of many numbers, shape (n,)."""
    mixed = numbers.astype(np.uint64) + np.uint64(((salt + 1) * _STEP) & MASK)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(_FIRST)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(_SECOND)
    return mixed ^ (mixed >> np.uint64(31))
