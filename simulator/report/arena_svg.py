"""Curves of the arena as a plain SVG file: what a pick costs while a range fills.

Written by hand, so that a page shows it without a script and without a library.
"""

from __future__ import annotations

from html import escape
from math import ceil, log10
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

_WIDTH: Final = 860
_HEIGHT: Final = 460
_LEFT, _TOP, _RIGHT, _BOTTOM = 70, 50, 200, 60
#: Colours that people with colour blindness tell apart (Okabe and Ito), then the same dashed.
_COLOURS: Final = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#555555")
_DASHES: Final = ("", "6 4", "2 3", "8 3 2 3")
_LABEL_PX: Final = 16


def probes_svg(title: str, curves: Mapping[str, Sequence[tuple[float, float]]]) -> str:
    """The drawing as text.

    Args:
        title: what stands above it.
        curves: by name, points of occupancy (0 to 1) and mean probes (shown from 1 on).
    """
    highest = max((y for points in curves.values() for _, y in points), default=1.0)
    decades = max(1, ceil(log10(max(highest, 1.0)) - 1e-9))
    lines = [*_frame(title, decades), *_curves(curves, decades), "</svg>"]
    return "\n".join(lines) + "\n"


def _x(share: float) -> float:
    return _LEFT + share * (_WIDTH - _LEFT - _RIGHT)


def _y(probes: float, decades: int) -> float:
    return _HEIGHT - _BOTTOM - log10(max(1.0, probes)) / decades * (_HEIGHT - _TOP - _BOTTOM)


def _frame(title: str, decades: int) -> Iterator[str]:
    """Background, axes, grid and their words."""
    yield (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" '
        'font-family="sans-serif" font-size="12" role="img">'
    )
    yield f"<title>{escape(title)}</title>"
    yield f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="#ffffff"/>'
    yield f'<text x="{_LEFT}" y="24" font-size="15">{escape(title)}</text>'
    low, high = _y(1, decades), _y(10**decades, decades)
    for tenth in range(0, 11, 2):
        x = _x(tenth / 10)
        yield _grid(x, low, x, high)
        yield f'<text x="{x:.1f}" y="{low + 18:.1f}" text-anchor="middle">{tenth * 10} %</text>'
    for decade in range(decades + 1):
        y = _y(10**decade, decades)
        yield _grid(_x(0), y, _x(1), y)
        yield f'<text x="{_LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{10**decade:,}</text>'
    middle = (low + high) / 2
    yield f'<text x="{_x(0.5):.1f}" y="{low + 42:.1f}" text-anchor="middle">ports in use</text>'
    yield (
        f'<text x="18" y="{middle:.1f}" text-anchor="middle" '
        f'transform="rotate(-90 18 {middle:.1f})">ports looked at for a pick</text>'
    )


def _grid(x1: float, y1: float, x2: float, y2: float) -> str:
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="#dddddd"/>'


def _curves(curves: Mapping[str, Sequence[tuple[float, float]]], decades: int) -> Iterator[str]:
    """Each curve, and its name to the right in the order in which they end."""
    drawn = {name: points for name, points in curves.items() if points}
    style = {name: _style(index) for index, name in enumerate(drawn)}
    for name, points in drawn.items():
        path = " ".join(f"{_x(x):.1f},{_y(y, decades):.1f}" for x, y in points)
        yield f'<polyline points="{path}" fill="none" stroke-width="1.8" {style[name]}/>'
    names = sorted(drawn, key=lambda one: (-drawn[one][-1][1], one))
    x = _x(1) + 26
    for name, y in zip(
        names, _spread([_y(drawn[one][-1][1], decades) for one in names]), strict=True
    ):
        yield (
            f'<line x1="{x:.1f}" y1="{y:.1f}" x2="{x + 22:.1f}" y2="{y:.1f}" '
            f'stroke-width="2.5" {style[name]}/>'
        )
        yield f'<text x="{x + 28:.1f}" y="{y + 4:.1f}">{escape(name)}</text>'


def _spread(wanted: Sequence[float]) -> list[float]:
    """Heights near the wanted ones, in the same order, that do not overlap and stay inside.

    Args:
        wanted: ascending, in pixels from above.
    """
    placed: list[float] = []
    for y in wanted:
        placed.append(max(y, placed[-1] + _LABEL_PX) if placed else y)
    lowest = float(_HEIGHT - _LABEL_PX)
    for index in range(len(placed) - 1, -1, -1):
        placed[index] = min(placed[index], lowest)
        lowest = placed[index] - _LABEL_PX
    return placed


def _style(index: int) -> str:
    """Colour and dash of the curve of this index."""
    colour = _COLOURS[index % len(_COLOURS)]
    dash = _DASHES[index // len(_COLOURS) % len(_DASHES)]
    return f'stroke="{colour}"' + (f' stroke-dasharray="{dash}"' if dash else "")
