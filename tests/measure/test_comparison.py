"""Runs against each other: ratios are the summaries', words only where an interval allows them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.measure.blocks import cut
from simulator.measure.comparable import Obstacle
from simulator.measure.comparison import Member, Side, compare, obstacles
from simulator.measure.summary import summarize
from simulator.records import Call, Ending
from tests.support.runs import MS, RunBuilder
from tests.support.summaries import summary

if TYPE_CHECKING:
    from pathlib import Path

    from simulator.engine import Run


def a_run(root: Path, *, answer: int = 2 * MS, fails: int = 0) -> Run:
    """A thousand connections in a second whose answers take ``answer``; so many fail."""
    made = RunBuilder().planned([MS * row for row in range(1000)]).started()
    for row in range(1000):
        if row % 100 < fails:
            made.failed(row, Call.RECV, Ending.EOF)
        else:
            made.ok(row, answer=answer + row % 7 * MS // 10)
    return made.run(root)


def single(name: str, run: Run, **changes: Any) -> Side:  # noqa: ANN401 - any JSON value
    member = Member(path=name, summary=summarize(run) | changes)
    return Side(name=name, title=name, members=(member,), blocks=cut(run))


def series(name: str, values: list[int], **changes: Any) -> Side:  # noqa: ANN401 - any JSON value
    members = []
    for value in values:
        made = summary(**changes)
        made["latency_ns"]["response"]["p50"] = value
        members.append(Member(path="", summary=made))
    return Side(name=name, title=name, members=tuple(members))


def ratio(table: dict[str, Any], metric: str, side: str = "B") -> dict[str, Any]:
    [row] = [one for one in table["series"] if one["metric"] == metric]
    found: dict[str, Any] = next(one for one in row["ratios"] if one["side"] == side)
    return found


@pytest.fixture(scope="module")
def sides(tmp_path_factory: pytest.TempPathFactory) -> list[Side]:
    """The base, the same again, and one that answers twice as late and fails more."""
    made = [{}, {}, {"answer": 4 * MS, "fails": 5}]
    return [
        single(name, a_run(tmp_path_factory.mktemp(name), **told))
        for name, told in zip("ABC", made, strict=True)
    ]


def test_a_run_against_itself_shows_no_difference(sides: list[Side]) -> None:
    table = compare(sides[:2], seed=1)
    assert table["differences"] == table["obstacles"] == []
    for metric in ("rate.ok", "connect.p50", "response.p90", "failed"):
        assert ratio(table, metric)["says"] == "no difference shown", metric
    assert ratio(table, "response.p50")["interval"] == [1, 1]


def test_later_answers_are_slower_by_the_ratio_of_the_summaries(sides: list[Side]) -> None:
    table = compare(sides, seed=1)
    found = ratio(table, "response.p50", "C")
    [row] = [one for one in table["series"] if one["metric"] == "response.p50"]
    assert found["ratio"] == row["values"][2] / row["values"][0]
    low, high = found["interval"]
    assert low <= found["ratio"] <= high
    assert (found["says"], found["from"]) == ("slower", "blocks")
    assert ratio(table, "rate.ok", "C")["says"] == "less"
    assert [one["side"] for one in row["ratios"]] == ["B", "C"]


def test_failures_against_none_have_no_ratio_and_are_told_by_shares(sides: list[Side]) -> None:
    found = ratio(compare([sides[0], sides[2]], seed=1), "failed", "C")
    told = {"ratio": None, "interval": None, "from": "shares", "says": "more"}
    assert found == told | {"side": "C"}


def test_the_same_runs_give_the_same_table_and_it_is_json(sides: list[Side]) -> None:
    table = compare(sides, seed=1)
    assert compare(sides, seed=1) == table
    assert json.loads(json.dumps(table, allow_nan=False)) == table
    assert compare(sides, seed=2) != table


def test_five_runs_a_side_are_drawn_whole() -> None:
    base = series("A", [100_000 + n for n in range(5)])
    later = series("B", [150_000 + n for n in range(6)])
    found = ratio(compare([base, later], seed=1), "response.p50")
    assert (found["from"], found["says"]) == ("runs", "slower")
    assert found["ratio"] == pytest.approx(1.5, rel=1e-3)


def test_four_runs_give_a_ratio_and_no_word() -> None:
    base, later = series("A", [100_000] * 4), series("B", [150_000] * 9)
    found = ratio(compare([base, later], seed=1), "response.p50")
    assert found == {"side": "B", "ratio": 1.5, "interval": None, "from": None, "says": None}


def test_what_was_left_out_is_told_and_is_part_of_no_number() -> None:
    base = series("A", [100_000] * 2)
    bad = Member(path="", summary=summary(), left_out=("stood still",))
    told = compare([Side(name="B", title="b", members=(bad, *base.members)), base], seed=1)
    assert [one["left_out"] for one in told["sides"][0]["runs"]] == [["stood still"], [], []]
    [row] = [one for one in told["series"] if one["metric"] == "response.p50"]
    assert row["values"] == [100_000, 100_000]


def test_obstacles_of_runs_come_before_those_of_pairs() -> None:
    about = Obstacle(code="not-valid", side="A", message="A: stood still")
    [member] = series("A", [1]).members
    base = Side(name="A", title="a", members=(member,), obstacles=(about,))
    closed = series("B", [1], loop={"kind": "closed", "users": 3})
    assert [one.code for one in obstacles([base, closed])] == ["not-valid", "loop"]


def _json() -> st.SearchStrategy[Any]:
    leaves = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
    return st.recursive(
        leaves,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
        max_leaves=5,
    )


@given(st.sampled_from(sorted(summary())), _json())
def test_a_damaged_summary_lacks_numbers_and_breaks_nothing(part: str, value: Any) -> None:  # noqa: ANN401
    base = series("A", [1])
    damaged = Member(path="", summary={**base.members[0].summary, part: value})
    table = compare([base, Side(name="B", title="b", members=(damaged,))], seed=1)
    assert json.loads(json.dumps(table["series"], allow_nan=False)) == table["series"]
