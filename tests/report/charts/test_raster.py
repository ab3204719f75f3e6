"""The picture of a grid, read back by the rules of PNG."""

from __future__ import annotations

import zlib
from base64 import b64decode

import numpy as np

from simulator.report.charts.chart import Grid, Shade
from simulator.report.charts.raster import data_address, grid_png

CELLS = np.array([[0, 1, 2], [2, 255, 0]], dtype=np.uint8)
SHADES = (Shade(name="a", colours=("#102030", "#405060")),)
GRID = Grid(start=0, end=3, low=0, high=2, cells=CELLS, full=CELLS, shades=SHADES)


def chunks(picture: bytes) -> dict[bytes, bytes]:
    """Kind -> data, each checked by its sum."""
    assert picture[:8] == b"\x89PNG\r\n\x1a\n"
    found, at = {}, 8
    while at < len(picture):
        size = int.from_bytes(picture[at : at + 4])
        kind, data = picture[at + 4 : at + 8], picture[at + 8 : at + 8 + size]
        assert int.from_bytes(picture[at + 8 + size : at + 12 + size]) == zlib.crc32(kind + data)
        found[kind] = data
        at += 12 + size
    return found


def test_cells_are_pixels_with_the_first_row_below() -> None:
    found = chunks(grid_png(GRID))
    assert list(found) == [b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND"]
    assert found[b"IHDR"] == (3).to_bytes(4) + (2).to_bytes(4) + bytes((8, 3, 0, 0, 0))
    lines = np.frombuffer(zlib.decompress(found[b"IDAT"]), dtype=np.uint8).reshape(2, 4)
    assert (lines[:, 0] == 0).all()
    assert (lines[::-1, 1:] == CELLS).all()
    assert found[b"PLTE"][3:9] == bytes.fromhex("102030405060")
    assert len(found[b"PLTE"]) == 3 * 256
    assert found[b"tRNS"] == b"\x00"  # the first colour, of what is empty, cannot be seen


def test_the_address_holds_the_picture() -> None:
    kind, _, text = data_address(GRID).partition(",")
    assert kind == "data:image/png;base64"
    assert b64decode(text) == grid_png(GRID)
