"""Colours with a meaning that is the same in every chart, readable on light and on dark ground.

Source: Okabe and Ito, *Color Universal Design* (2008), whose colours people with any colour
blindness tell apart.
"""

from __future__ import annotations

from typing import Final

BLUE: Final = "#0072b2"
VERMILION: Final = "#d55e00"
GREEN: Final = "#009e73"
PINK: Final = "#cc79a7"
ORANGE: Final = "#e69f00"
SKY: Final = "#56b4e9"
GREY: Final = "#7f7f7f"

#: For series without a meaning of their own, in this order.
IN_TURN: Final = (BLUE, VERMILION, GREEN, PINK, ORANGE, SKY, GREY)
#: The same colours again are told apart by these.
DASHES: Final = ("", "6 4", "2 3", "8 3 2 3")

ESTABLISHED: Final = GREEN
TIME_WAIT: Final = ORANGE
OTHER: Final = PINK
WALL: Final = VERMILION
#: How the model's series are drawn beside the kernel's.
MODEL_DASH: Final = "6 4"
#: Where runs of both engines stand on the same axes: solid or dotted, and dashed.
KERNEL_DASHES: Final = ("", "2 3")
MODEL_DASHES: Final = (MODEL_DASH, "8 3 2 3")
#: For those who do not see the drawing, and for those who ask what a dash is.
MODEL_SAYS: Final = " Dashed lines are the model's."

_LIGHTEST: Final = 0.35


def style(index: int) -> tuple[str, str]:
    """Colour and dash of the series of this index; the first 28 differ."""
    return IN_TURN[index % len(IN_TURN)], DASHES[index // len(IN_TURN) % len(DASHES)]


def tints(colour: str, count: int) -> tuple[str, ...]:
    """A colour from pale to full.

    Args:
        colour: ``#rrggbb``.
        count: at least 1.
    """
    parts = [int(colour[at : at + 2], 16) for at in (1, 3, 5)]
    found = []
    for step in range(count):
        share = 1.0 if count == 1 else _LIGHTEST + (1 - _LIGHTEST) * step / (count - 1)
        mixed = (round(255 - (255 - part) * share) for part in parts)
        found.append("#" + "".join(f"{part:02x}" for part in mixed))
    return tuple(found)
