"""A comparison on screen: what differs first, a word only with an interval, nothing obeyed."""

from __future__ import annotations

from typing import Any

from simulator.report.comparison_text import comparison_text

RATIO = {"side": "B", "ratio": 1.25, "interval": [1.1, 1.4], "from": "blocks", "says": "slower"}


def side(name: str, **changes: Any) -> dict[str, Any]:  # noqa: ANN401 - any JSON value
    run = {"run": f"run-{name}", "verdict": "ok", "valid": True, "left_out": []}
    return {
        "name": name,
        "title": name,
        "scenario": "port-wall",
        "variant": "",
        "runs": [run],
    } | changes


def table(**changes: Any) -> dict[str, Any]:  # noqa: ANN401 - any JSON value
    series = {"metric": "connect.p99", "values": [100_000, 125_000], "ratios": [RATIO]}
    return {
        "confidence": 0.95,
        "sides": [side("A"), side("B")],
        "differences": [],
        "obstacles": [],
        "series": [series],
    } | changes


def lines(**changes: Any) -> list[str]:  # noqa: ANN401 - any JSON value
    return comparison_text(table(**changes), width=120).splitlines()


def test_what_differs_stands_before_the_ratios() -> None:
    one = {"place": "scenario", "key": "kernel.port_range", "values": ["50000-50999", None]}
    text = lines(differences=[one])
    [row] = [line for line in text if "kernel.port_range" in line]
    assert row.split() == ["scenario", "kernel.port_range", "50000-50999", "–"]
    assert text.index(row) < text.index("Series")
    assert any(line.startswith("Nothing but the numbers differs") for line in lines())


def test_a_ratio_has_its_interval_its_word_and_where_they_are_from() -> None:
    [row] = [line for line in lines() if line.startswith("connect.p99")]
    assert row.split() == ["connect.p99", "100us", "125us", "1.250", "1.100..1.400", "slower"]
    assert "how far these runs differ and not how far the next would" in "\n".join(lines())


def test_no_interval_is_said_to_be_none() -> None:
    bare = RATIO | {"interval": None, "from": None, "says": None}
    series = {"metric": "failed", "values": [1, None], "ratios": [bare]}
    text = lines(series=[series])
    [row] = [line for line in text if line.startswith("failed")]
    assert row.split() == ["failed", "1", "–", "1.250"]
    assert any(line.startswith("No intervals") for line in text)


def test_each_later_side_has_a_table_of_its_own() -> None:
    ratios = [RATIO, RATIO | {"side": "C", "ratio": 2.0}]
    series = {"metric": "connect.p99", "values": [100_000, 125_000, 200_000], "ratios": ratios}
    text = "\n".join(lines(sides=[side("A"), side("B"), side("C")], series=[series]))
    assert "B / A" in text
    assert "C / A" in text
    assert "200us  2.000" in text


def test_force_left_out_runs_and_limits_are_told() -> None:
    runs = [
        {"run": "one", "verdict": "ok", "valid": True, "left_out": []},
        {"run": "two", "verdict": "ok", "valid": False, "left_out": ["stood still"]},
    ]
    limit = {"text": "failed>+5", "metric": "failed", "side": "B", "base": 1.0, "value": 9.0}
    text = lines(
        sides=[side("A"), side("B", title="results/b", runs=runs)],
        obstacles=[{"message": "B: sent late"}],
        limits=[limit | {"failed": True, "why": "beyond"}, limit | {"failed": False, "why": "-"}],
    )
    assert "Not comparable: B: sent late" in text
    assert "Left out: two: stood still" in text
    assert "✗ failed>+5   B: 1 -> 9   beyond" in text
    assert "✓ failed>+5   B: 1 -> 9   -" in text
    assert any("1 of 2 runs in results/b" in line for line in text)


def test_hostile_names_do_nothing_and_missing_parts_break_nothing() -> None:
    evil = "\x1b[31m[red]"
    one = {"place": "host", "key": evil, "values": [evil, evil]}
    text = "\n".join(lines(sides=[side(evil, scenario=evil), side("B")], differences=[one]))
    assert "\x1b" not in text
    assert "[red]" in text
    assert comparison_text({"sides": [{}, {}]})
