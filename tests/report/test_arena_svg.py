"""The arena's drawing: well-formed, inside its frame, names apart, nothing executed."""

from __future__ import annotations

import re
from itertools import pairwise
from xml.etree import ElementTree as ET

import pytest

from simulator.report.arena_svg import probes_svg

SVG = "{http://www.w3.org/2000/svg}"


def drawn(curves: dict[str, list[tuple[float, float]]]) -> ET.Element:
    return ET.fromstring(probes_svg("title", curves))


@pytest.mark.parametrize("count", [1, 8, 22])
def test_names_stay_apart_and_everything_inside(count: int) -> None:
    root = drawn({f"curve {index}": [(0.0, 1.0), (1.0, 1.0)] for index in range(count)})
    width, height = map(float, root.attrib["viewBox"].split()[2:])
    names = [one for one in root.iter(f"{SVG}text") if (one.text or "").startswith("curve")]
    heights = sorted(float(one.attrib["y"]) for one in names)
    assert len(names) == count
    assert all(after - before >= 15.9 for before, after in pairwise(heights))
    assert all(0 < one < height for one in heights)
    for line in root.iter(f"{SVG}polyline"):
        for x, y in (map(float, point.split(",")) for point in line.attrib["points"].split()):
            assert 0 <= x <= width
            assert 0 <= y <= height
    styles = {
        (one.attrib["stroke"], one.attrib.get("stroke-dasharray"))
        for one in root.iter(f"{SVG}polyline")
    }
    assert len(styles) == count


def test_a_tenfold_cost_is_one_line_of_the_grid_higher() -> None:
    root = drawn({"one": [(0.0, 1.0), (0.5, 10.0), (1.0, 100.0)]})
    (line,) = root.iter(f"{SVG}polyline")
    points = [tuple(map(float, point.split(","))) for point in line.attrib["points"].split()]
    assert points[1][0] - points[0][0] == pytest.approx(points[2][0] - points[1][0], abs=0.2)
    assert points[1][1] - points[0][1] == pytest.approx(points[2][1] - points[1][1], abs=0.2)
    labels = [one.text for one in root.iter(f"{SVG}text")]
    assert "100" in labels
    assert "1,000" not in labels


def test_names_and_title_are_text_and_nothing_else() -> None:
    text = probes_svg("<script>", {"a & <b>": [(0.5, 2.0)], "empty": []})
    assert "<script>" not in text
    assert "a &amp; &lt;b&gt;" in text
    assert "empty" not in text
    assert not re.search(r"href|onload", text)
    ET.fromstring(text)


def test_without_a_curve_there_is_still_a_frame() -> None:
    assert list(drawn({}).iter(f"{SVG}polyline")) == []
