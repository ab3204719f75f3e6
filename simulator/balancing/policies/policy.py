"""What every policy is: a rule that picks one of the eligible backends.

A policy is pure: it sees a list, the load and chance, and has no clock, socket or task. The kernel
engine and the model run the same objects, so they make the same picks from the same seed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from simulator.balancing.load import Load
    from simulator.seeds import Random

NOBODY: Final = -1
#: Draws made before the eligible ones are listed; a retry leaves out a handful of backends only.
_REDRAWS: Final = 8


class Policy(Protocol):
    """A rule; implementations are in this folder."""

    def pick(self, eligible: Sequence[int], load: Load, exclude: Collection[int]) -> int:
        """Pick one backend.

        Args:
            eligible: ids that may be picked, in no particular order, without repeats.
            load: open connections of each of them.
            exclude: ids not wanted this time (those a retry has tried); nearly always empty.

        Returns:
            A backend id, or NOBODY when every eligible one is excluded or there is none.
        """
        ...


class KeyedPolicy(Protocol):
    """A policy that goes by who the client is: the same key, the same backend."""

    def pick(
        self, eligible: Sequence[int], load: Load, exclude: Collection[int], key: int = 0
    ) -> int:
        """Pick one backend for a client.

        Args:
            eligible: as for `Policy.pick`.
            load: as for `Policy.pick`.
            exclude: as for `Policy.pick`.
            key: the client's number; any int >= 0.

        Returns:
            As `Policy.pick`.
        """
        ...


def draw_index(generator: Random, count: int) -> int:
    """A uniform index in 0..count-1, for count >= 1.

    ``int(random() * count)`` takes a third of the time of ``randrange``. Its bias is below
    count / 2**53, far under anything a run could show.
    """
    return int(generator.random() * count)


def draw_one(generator: Random, eligible: Sequence[int], exclude: Collection[int]) -> int:
    """A uniform draw among the eligible ids that are not excluded, or NOBODY.

    Redrawing until the result is wanted leaves the wanted ones equally likely; when that takes
    long, they are listed and one draw is made, which has the same distribution.
    """
    if not eligible:
        return NOBODY
    for _ in range(_REDRAWS):
        drawn = eligible[draw_index(generator, len(eligible))]
        if drawn not in exclude:
            return drawn
    wanted = [one for one in eligible if one not in exclude]
    return wanted[draw_index(generator, len(wanted))] if wanted else NOBODY
