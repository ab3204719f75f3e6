"""One scenario from question to answer: what runs, what it is worth, what a refusal leaves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from simulator.errors import Refused, RunFailed
from simulator.experiment import Question, answer, exit_code, measure, questions
from simulator.kernel import sysctls
from simulator.live.engine import KernelEngine
from simulator.store.read import list_runs, load_run, read_summary
from tests.support.jobs import Watcher
from tests.support.scenarios import SMALL, loaded

if TYPE_CHECKING:
    from pathlib import Path

    from simulator.engine import Job, Recorder, Watch

VARIANTS = f"""{SMALL}
variants:
  few: {{backends.count: 2}}
  many: {{backends.count: 20}}
"""


def summary(**changes: object) -> dict[str, Any]:
    return {"valid": True, "incomplete": [], "thresholds": [], **changes}


FAILED = [{"holds": True}, {"holds": False}]


@pytest.mark.parametrize(
    ("told", "code"),
    [
        ({}, 0),
        ({"thresholds": [{"holds": True}]}, 0),
        ({"thresholds": FAILED}, 4),
        ({"valid": False}, 5),
        ({"valid": False, "thresholds": FAILED}, 5),
        ({"incomplete": ["client 0 was lost"]}, 6),
        ({"incomplete": ["client 0 was lost"], "valid": False, "thresholds": FAILED}, 6),
    ],
)
def test_the_worst_that_is_known_of_a_run_decides_its_code(told: dict[str, Any], code: int) -> None:
    assert exit_code(summary(**told)) == code


def test_a_file_without_variants_asks_one_question() -> None:
    file = loaded(SMALL)
    assert questions(file) == [Question(loaded=file, variant="", scenario=file.scenario)]


def test_each_variant_is_a_question_in_the_files_order() -> None:
    asked = questions(loaded(VARIANTS))
    assert [(one.variant, one.scenario.backends.count) for one in asked] == [
        ("few", 2),
        ("many", 20),
    ]


def test_one_variant_may_be_asked_alone() -> None:
    file = loaded(VARIANTS)
    assert [one.variant for one in questions(file, "many")] == ["many"]
    assert questions(file, "none") == []


class NoEngine:
    """An engine that must not be asked, or that fails in the way it was told to."""

    name = "kernel"

    def __init__(self, error: Exception | None = None) -> None:
        self._error = error
        self.asked = 0

    async def run(self, job: Job, recorder: Recorder, watch: Watch) -> None:
        """Write one line, then fail."""
        del job, watch
        self.asked += 1
        recorder.line("events", {"t_ns": -1, "event": "began"})
        if self._error is not None:
            raise self._error


async def test_a_plan_that_does_not_fit_is_refused_before_anything_is_made(tmp_path: Path) -> None:
    asked = loaded(SMALL, "traffic.0.arrivals.constant=900000/s", "traffic.0.requests=1000")
    engine = NoEngine()
    with pytest.raises(Refused, match=r"900,000/s x 1s = 900,000 connections x 1000 requests"):
        await answer(questions(asked)[0], engine, Watcher(), tmp_path / "results", ["portchurn"])
    assert engine.asked == 0
    assert not (tmp_path / "results").exists()


LONG = """\
title: more than is kept
backends: {ports: permanent}
balancer: {driver: none, close: client}
clients: {source: {addresses: 1, ports: kernel}}
traffic:
  - {name: long, for: 6s, arrivals: {poisson: 1000000/s}}
"""


@pytest.mark.parametrize(
    ("kind", "change", "words"),
    [
        ("kernel", "title=kept", "portchurn run FILE --engine model"),
        ("model", "clients.source.ports=userspace", "clients.source.ports is userspace"),
        ("kernel", "backends.churn={rate: 1/s}", "Nor can the model"),
    ],
)
async def test_who_can_do_a_plan_that_is_too_long_is_told(
    kind: str, change: str, words: str, tmp_path: Path
) -> None:
    engine = NoEngine()
    engine.name = kind
    [question] = questions(loaded(LONG, change))
    with pytest.raises(Refused, match="6,000,000 connections; 5,000,000 are the most") as refused:
        await answer(question, engine, Watcher(), tmp_path / "results", ["portchurn"])
    assert words in str(refused.value).splitlines()[-1]
    assert not (tmp_path / "results").exists()


async def test_a_machine_that_is_too_small_refuses_before_anything_is_made(tmp_path: Path) -> None:
    hold = "hold: {connections: 900000, rate: 900000/s}"
    asked = loaded(SMALL.replace("arrivals: {constant: 10/s}", hold))
    engine = NoEngine()
    with pytest.raises(Refused, match="Refused before starting:\n"):
        await answer(questions(asked)[0], engine, Watcher(), tmp_path / "results", ["portchurn"])
    assert engine.asked == 0
    assert not (tmp_path / "results").exists()


async def test_a_kernel_that_lacks_a_setting_refuses_before_anything_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sysctls, "_path", lambda name: tmp_path / "no" / name)
    asked = loaded(SMALL, "kernel.time_wait=500ms")
    engine = NoEngine()
    with pytest.raises(Refused, match="has no setting"):
        await answer(questions(asked)[0], engine, Watcher(), tmp_path / "results", ["portchurn"])
    assert engine.asked == 0
    assert not (tmp_path / "results").exists()


async def test_an_engine_that_refuses_leaves_no_run(tmp_path: Path) -> None:
    engine = NoEngine(Refused("no namespaces for you"))
    with pytest.raises(Refused, match="no namespaces"):
        await answer(questions(loaded(SMALL))[0], engine, Watcher(), tmp_path, ["portchurn"])
    assert engine.asked == 1
    assert list_runs(tmp_path) == []
    assert not (tmp_path / "latest").is_symlink()


async def test_a_run_that_broke_keeps_what_it_had_without_a_summary(tmp_path: Path) -> None:
    engine = NoEngine(RunFailed("a role broke"))
    with pytest.raises(RunFailed):
        await answer(questions(loaded(SMALL))[0], engine, Watcher(), tmp_path, ["portchurn"])
    (kept,) = list_runs(tmp_path)
    assert [event["event"] for event in load_run(kept.path).events] == ["began"]
    assert read_summary(kept.path) is None


@pytest.mark.namespace
@pytest.mark.alone
async def test_an_answer_is_stored_and_can_be_had_again_from_the_records_alone(
    tmp_path: Path,
) -> None:
    file = loaded(SMALL, "traffic.0.for=500ms", "traffic.0.arrivals.constant=100/s")
    given = await answer(
        questions(file)[0], KernelEngine(), Watcher(), tmp_path, ["portchurn", "run", "x.yaml"]
    )
    assert given.exit_code == 0, given.summary["doubts"]
    assert given.summary["attempts"]["ok"] == 50
    assert read_summary(given.folder) == given.summary == measure(given.folder)
    assert load_run(given.folder).manifest["command"] == ["portchurn", "run", "x.yaml"]
    (entry,) = list_runs(tmp_path)
    assert entry.status == "complete"
    assert (tmp_path / "latest").resolve() == given.folder
