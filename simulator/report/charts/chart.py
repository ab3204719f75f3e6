"""A chart as a value: what is drawn, in which units, and one sentence that says it in words.

Builders make such a value from stored results; `svg.py` and `figure.py` draw it. Neither decides
what is shown, so that a page with scripts and a printed one say the same.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from simulator.slugs import is_slug, slug

if TYPE_CHECKING:
    import numpy as np

Unit = Literal["s", "ns", "count", "rate", "bytes", "share", "port", "none"]
Value = float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Axis:
    """One axis.

    Attributes:
        title: what it counts, without the unit where the tick texts have it.
        unit: how values are written: ``s`` and ``ns`` are times, ``share`` is 0 to 1, ``none``
            shows only the ticks given.
        log: logarithmic; values must be above 0.
        low, high: ends of the axis; None = as the data has it.
        ticks: values and texts instead of the usual ones.
        lanes: names of equal rows, the first on top; then values are 0, 1, 2 ...
    """

    title: str
    unit: Unit = "count"
    log: bool = False
    low: Value = None
    high: Value = None
    ticks: tuple[tuple[float, str], ...] = ()
    lanes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One series.

    Attributes:
        name: what stands beside it.
        x, y: its points, of one length; a y of None is a gap that nothing is drawn across.
        colour: ``#rrggbb``; see `colours.py`.
        dash: "" for solid, else pixels on and off (``6 4``); dashed is the model's.
        form: ``line``, ``step`` (holds until the next point), ``points``, ``bars`` or ``area``;
            areas of a chart stand on each other in the order of the chart.
    """

    name: str
    x: tuple[float, ...]
    y: tuple[Value, ...]
    colour: str
    dash: str = ""
    form: Literal["line", "step", "points", "bars", "area"] = "line"


@dataclass(frozen=True, slots=True, kw_only=True)
class Level:
    """A line across the chart at one value of y: a wall, a budget, half of it.

    Attributes:
        at: value of y.
        text: what it is.
        is_wall: beyond it nothing works.
    """

    at: float
    text: str
    is_wall: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """A line at one value of x: something happened then, or a limit stands there.

    Attributes:
        at: value of x.
        text: what happened.
        colour: ``#rrggbb``.
        is_strong: worth words on the chart itself; others have a line only.
    """

    at: float
    text: str
    colour: str
    is_strong: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Band:
    """A stretch of the y axis with a name, such as a region of the port numbers."""

    low: float
    high: float
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """A bar in a lane, from one moment to another: a lease.

    Attributes:
        lane: index into the y axis' lanes.
        start, end: values of x.
        text: what it is.
        colour: ``#rrggbb``.
    """

    lane: int
    start: float
    end: float
    text: str
    colour: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Shade:
    """One kind of cell of a grid: its name and the colours from nearly empty to full."""

    name: str
    colours: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Grid:
    """A heat map.

    Attributes:
        start, end: ends of the x axis; columns are of equal width.
        low, high: ends of the y axis; rows are of equal height, the first at ``low``.
        cells: uint8, shape (rows, columns): 0 = nothing, else 1 + the index into the colours of
            all shades one after the other; 255 = not known.
        full: uint8, same shape: how full each cell is in percent.
        shades: what the colours mean.
    """

    start: float
    end: float
    low: float
    high: float
    cells: np.ndarray[Any, np.dtype[np.uint8]]
    full: np.ndarray[Any, np.dtype[np.uint8]]
    shades: tuple[Shade, ...]

    @property
    def palette(self) -> tuple[str, ...]:
        """The colour of each cell value from 1 on."""
        return tuple(colour for shade in self.shades for colour in shade.colours)


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """Everything that is drawn in one frame.

    Attributes:
        name: a word of [a-z0-9-] that no other chart of a page has.
        title: what it shows; may hold text from outside, as all texts here.
        says: one sentence that gives the gist to who cannot see the drawing.
        x, y: the axes.
        lines, levels, marks, bands, spans, grid: what is in it.
        height: pixels of the drawing at a width of 860.
    """

    name: str
    title: str
    says: str
    x: Axis
    y: Axis
    lines: tuple[Line, ...] = ()
    levels: tuple[Level, ...] = ()
    marks: tuple[Mark, ...] = ()
    bands: tuple[Band, ...] = ()
    spans: tuple[Span, ...] = ()
    grid: Grid | None = field(default=None)
    height: int = 330

    def __post_init__(self) -> None:
        """Make a name with parts from outside, such as a hop's, fit to stand in markup as it is."""
        if not is_slug(self.name):
            object.__setattr__(self, "name", slug(self.name))
