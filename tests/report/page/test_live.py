"""The live page: a shell that tells nothing, and a picture that is all JSON and all escaped."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from simulator.report.page.live import files, picture
from simulator.report.stored import stored
from tests.support.stored import change_manifest, complete, running

if TYPE_CHECKING:
    from pathlib import Path


def test_the_shell_asks_for_nothing_but_its_own_files() -> None:
    served = files()
    kind, shell = served["/"]
    assert kind == "text/html; charset=utf-8"
    asked = re.findall(r'(?:src|href)="([^"#]+)"', shell.decode())
    assert [one for one in asked if one not in served] == ["data:,"]
    assert "<script>" not in shell.decode()
    assert "style=" not in shell.decode()
    assert "Plotly" in served["/plotly.js"][1].decode()


def test_a_run_under_way_is_drawn_as_far_as_it_has_come(tmp_path: Path) -> None:
    told = picture(stored(running(tmp_path)))
    json.dumps(told, allow_nan=False)
    assert "STILL RUNNING" in told["verdict"]
    assert "connections" in told["verdict"]
    names = [chart["name"] for chart in told["charts"]]
    assert "rates" in names
    assert len(names) == len(set(names))
    assert all({"data", "layout"} <= chart["figure"].keys() for chart in told["charts"])


def test_one_that_has_ended_has_its_stored_verdict(tmp_path: Path) -> None:
    told = picture(stored(complete(tmp_path)))
    assert "STILL RUNNING" not in told["verdict"]
    assert json.loads((complete(tmp_path / "b") / "summary.json").read_text())["verdict"]


def test_names_from_a_folder_are_only_text(tmp_path: Path) -> None:
    folder = running(tmp_path)
    change_manifest(folder, scenario="</script><img src=x onerror=alert(1)>", id="\x1b[2J")
    told = picture(stored(folder))
    markup = told["verdict"] + told["change"] + told["trust"]
    assert "<img" not in markup
    assert "\x1b" not in told["under"]
