"""The newest numbers of a run: what was counted, rates over the last second, where each hop is."""

from __future__ import annotations

from typing import Any

import pytest

from simulator.errors import UsageError
from simulator.report.headline import Headline
from simulator.store.growing import News
from simulator.units import NS_PER_S
from tests.support.runs import hop_sample, scenario

MANIFEST = {
    "title": "Wall\x1b[2J",
    "variant": "one",
    "version": "0",
    "scenario_resolved": scenario().model_dump(mode="json", by_alias=True, exclude_none=True),
}


def sample(t_s: float, time_wait: int = 0) -> dict[str, Any]:
    """One sample of one hop."""
    return {
        "t_ns": int(t_s * NS_PER_S),
        "hops": {"balancer-backend": hop_sample(1000, established=10, time_wait=time_wait)},
    }


def counts(ok: int = 0, failed: int = 0, opened: int = 0, planned: int = 100) -> dict[str, int]:
    """Outcomes of a hundred connections."""
    return {"PLANNED": planned - ok - failed - opened, "OPEN": opened, "OK": ok, "FAILED": failed}


def test_before_the_first_sample_it_is_starting() -> None:
    told = Headline(MANIFEST).take(News(counts=counts()), 0.0)
    assert (told["state"], told["elapsed_s"], told["left_s"]) == ("starting", 0.0, 1.0)
    assert (told["planned"], told["sent"], told["hops"]) == (100, 0, [])
    assert "\x1b" not in told["title"]
    assert told["title"].endswith("[one]")


def test_counts_and_hops_are_the_newest() -> None:
    headline = Headline(MANIFEST)
    headline.take(News(samples=[sample(0.1, 5)], counts=counts()), 10.0)
    news = News(
        samples=[sample(0.2, 7), sample(0.3, 90)],
        events=[{"event": "phase", "t_ns": 0, "name": "steady"}],
        counts=counts(20, 3, 2),
        due=30,
    )
    told = headline.take(news, 10.5)
    assert (told["sent"], told["ok"], told["failed"], told["open"]) == (25, 20, 3, 2)
    assert (told["state"], told["phase"], told["elapsed_s"]) == ("running", "steady", 0.3)
    (hop,) = told["hops"]
    assert (hop["budget"], hop["established"], hop["time_wait"]) == (1000, 10, 90)
    assert hop["outlook"] == "900 left"
    assert hop["course"] == [0.015, 0.017, 0.1]


def test_rates_are_of_the_last_second() -> None:
    headline = Headline(MANIFEST)
    for tenth in range(31):
        t_s = tenth / 10
        # 100/s in the first two seconds, then 40/s; half of them end well.
        sent = int(100 * min(t_s, 2) + 40 * max(0, t_s - 2))
        news = News(samples=[sample(t_s)], counts=counts(sent // 2, 0, sent - sent // 2, 1000))
        told = headline.take(News(samples=news.samples, counts=news.counts, due=int(50 * t_s)), t_s)
    assert told["rates"] == pytest.approx({"asked": 50, "sent": 40, "ok": 20}, abs=1.5)


@pytest.mark.parametrize(("t_s", "state"), [(0.5, "running"), (1.5, "draining")])
def test_after_its_last_phase_it_drains(t_s: float, state: str) -> None:
    assert Headline(MANIFEST).take(News(samples=[sample(t_s)]), 0.0)["state"] == state


@pytest.mark.parametrize("event", ["stopping", "ended"])
def test_what_the_run_says_of_itself_goes_before(event: str) -> None:
    news = News(samples=[sample(0.1)], events=[{"event": event, "t_ns": 1}])
    assert Headline(MANIFEST).take(news, 0.0)["state"] == event


def test_samples_of_a_strange_form_are_passed_over() -> None:
    strange = [{"t_ns": 1, "hops": [1]}, {"t_ns": 2, "hops": {"a": 1, "b": {"budget": "x"}}}]
    assert Headline(MANIFEST).take(News(samples=strange), 0.0)["hops"] == []


def test_a_scenario_of_another_version_is_refused() -> None:
    with pytest.raises(UsageError, match="does not know"):
        Headline({"scenario_resolved": {"from": "the future"}})
