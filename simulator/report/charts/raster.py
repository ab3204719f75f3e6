"""A grid of cells as a PNG picture with a palette, small enough to stand inside a page.

Source: PNG, W3C Recommendation, third edition (2025): signature, IHDR, PLTE, tRNS, IDAT, IEND.
"""

from __future__ import annotations

import zlib
from base64 import b64encode
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from simulator.report.charts.chart import Grid

_SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"
_UNKNOWN: Final = 255
_UNKNOWN_COLOUR: Final = "#9a9a9a"


def _chunk(kind: bytes, data: bytes) -> bytes:
    body = kind + data
    return len(data).to_bytes(4) + body + zlib.crc32(body).to_bytes(4)


def grid_png(grid: Grid) -> bytes:
    """The cells, a pixel each, the row of the highest values on top; empty ones are clear."""
    rows, columns = grid.cells.shape
    colours = ["#ffffff", *grid.palette]
    colours += [_UNKNOWN_COLOUR] * (_UNKNOWN + 1 - len(colours))
    palette = b"".join(bytes.fromhex(colour[1:]) for colour in colours)
    header = columns.to_bytes(4) + rows.to_bytes(4) + bytes((8, 3, 0, 0, 0))
    # Each line opens with the number of its filter; 0 leaves it as it is.
    lines = np.zeros((rows, columns + 1), dtype=np.uint8)
    lines[:, 1:] = grid.cells[::-1]
    return b"".join(
        (
            _SIGNATURE,
            _chunk(b"IHDR", header),
            _chunk(b"PLTE", palette),
            _chunk(b"tRNS", b"\x00"),
            _chunk(b"IDAT", zlib.compress(lines.tobytes())),
            _chunk(b"IEND", b""),
        )
    )


def data_address(grid: Grid) -> str:
    """The same as an address that holds the picture itself."""
    return "data:image/png;base64," + b64encode(grid_png(grid)).decode("ascii")
