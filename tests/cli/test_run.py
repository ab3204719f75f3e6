"""`portchurn run` as a user has it: streams, exit codes, errors that say what would be right."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from simulator.cli.run import StopRequests, page_after
from simulator.errors import EXIT_INTERRUPTED, EXIT_REFUSED, EXIT_TERMINATED, RunFailed
from simulator.report.page.run_page import REPORT
from simulator.store.read import list_runs
from tests.support.command import Running, portchurn, run_json, write_scenario
from tests.support.pages import stored_run
from tests.support.stored import aborted

if TYPE_CHECKING:
    from pathlib import Path

SCENARIO = """\
title: A short one
kernel: {port_range: 50000-50999, time_wait: 500ms}
backends: {count: 2}
traffic:
  - {name: only, for: 500ms, arrivals: {constant: 100/s}}
grace: 1s
"""
VARIANTS = f"""{SCENARIO}
variants:
  one: {{backends.count: 1}}
  three: {{backends.count: 3}}
"""


@pytest.fixture
def scenario(tmp_path: Path) -> Path:
    return write_scenario(tmp_path / "short.yaml", SCENARIO)


@pytest.fixture
def variants(tmp_path: Path) -> Path:
    return write_scenario(tmp_path / "variants.yaml", VARIANTS)


def assert_one_message(err: str) -> None:
    """An error is told to its reader, not to a programmer."""
    assert err.strip()
    assert "Traceback" not in err


def test_help_names_the_exit_codes_and_every_option() -> None:
    done = portchurn("run", "--help")
    assert done.code == 0
    assert done.err == ""
    for word in (
        "--set",
        "--seed",
        "--results",
        "--variant",
        "--output",
        "--quiet",
        "--live",
        "--loop",
        "--engine",
    ):
        assert word in done.out
    said = " ".join(done.out.split())
    assert "3 this machine cannot do it, 4 a threshold failed" in said


def test_an_unknown_variant_names_those_there_are(variants: Path, scenario: Path) -> None:
    done = portchurn("run", variants, "--variant", "two")
    assert (done.code, done.out) == (2, "")
    assert "has no variant named two; it has: one, three" in done.err
    done = portchurn("run", scenario, "--variant", "two")
    assert (done.code, done.out) == (2, "")
    assert "has no variants, so --variant two names nothing" in done.err


def test_variants_get_a_page_that_holds_them_against_each_other(
    variants: Path, tmp_path: Path
) -> None:
    done = portchurn("run", variants, "--engine", "model", "--results", tmp_path / "results")
    assert done.code == 0, done.err
    page = tmp_path / "results" / "variants" / "variants.html"
    assert done.out.splitlines()[-1] == f"Page: {page}"
    assert 'aria-label="three"' in page.read_text()


FAILING_LAST = f"{VARIANTS}  limited: {{balancer.descriptors: 100}}\n"


def test_what_was_measured_before_a_variant_that_fails_is_shown_all_the_same(
    tmp_path: Path,
) -> None:
    file = write_scenario(tmp_path / "limited.yaml", FAILING_LAST)
    results = tmp_path / "results"
    done = portchurn("run", file, "--engine", "model", "--results", results, "--quiet")
    assert done.code == EXIT_REFUSED
    assert "balancer.descriptors" in done.err
    assert_one_message(done.err)
    assert "Side by side" in done.out
    words = [line.split()[0] for line in done.out.splitlines()[-3:]]
    assert words == ["Results:", "Results:", "Page:"]
    page = (results / "limited" / "variants.html").read_text()
    assert 'aria-label="three"' in page
    assert {run.variant for run in list_runs(results)} == {"one", "three"}


def test_the_json_of_what_came_before_a_failure_is_whole(tmp_path: Path) -> None:
    file = write_scenario(tmp_path / "limited.yaml", FAILING_LAST)
    model = ("--engine", "model", "--results", tmp_path / "results", "--quiet")
    done = portchurn("run", file, *model, "--output", "json")
    assert done.code == EXIT_REFUSED
    assert [one["variant"] for one in done.summaries] == ["one", "three"]
    assert_one_message(done.err)


def test_a_misspelt_key_is_shown_where_it_stands(tmp_path: Path) -> None:
    file = write_scenario(tmp_path / "typo.yaml", SCENARIO.replace("count", "cuont"))
    done = portchurn("run", file, "--results", tmp_path / "results")
    assert (done.code, done.out) == (2, "")
    assert f"{file}:3:12: backends.cuont: " in done.err
    assert "count" in done.err
    assert_one_message(done.err)
    assert not (tmp_path / "results").exists()


def test_a_plan_that_does_not_fit_is_refused_with_its_arithmetic(
    scenario: Path, tmp_path: Path
) -> None:
    more = ("--set", "traffic.0.arrivals.constant=10000/s", "--set", "traffic.0.requests=10000")
    done = portchurn("run", scenario, *more, "--results", tmp_path / "results")
    assert (done.code, done.out) == (3, "")
    assert "50,000,000 requests; 20,000,000 are the most" in done.err
    assert "only: 10,000/s x 500ms = 5,000 connections x 10000 requests" in done.err
    assert_one_message(done.err)
    assert not (tmp_path / "results").exists()


def test_results_that_cannot_be_kept_are_refused(scenario: Path, tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("a file")
    done = portchurn("run", scenario, "--results", tmp_path / "taken")
    assert (done.code, done.out) == (3, "")
    assert "is not a folder; name another with --results" in done.err
    assert_one_message(done.err)


# Whole runs.


@pytest.mark.namespace
def test_results_go_to_stdout_and_progress_to_stderr(scenario: Path, tmp_path: Path) -> None:
    done = portchurn("run", scenario, "--results", tmp_path / "results")
    assert done.code == 0, done.err
    lines = done.out.splitlines()
    assert lines[0].startswith("Nothing ran out: 50 of 50 connections succeeded")
    assert lines[-1].startswith("Results: ")
    assert not done.out.endswith("\n\n")
    assert done.err.startswith("A short one\n")
    assert "asked" in done.err
    assert "Nothing ran out" not in done.err


@pytest.mark.namespace
def test_one_run_as_json_is_its_summary(scenario: Path, tmp_path: Path) -> None:
    results = tmp_path / "results"
    done = portchurn("run", scenario, "--results", results, "--output", "json", "--quiet")
    assert done.code == 0
    assert done.err == ""
    summary = done.json
    assert summary["schema"] == "portchurn.summary/1"
    assert summary["attempts"]["ok"] == 50
    stored = json.loads((results / "latest" / "summary.json").read_text())
    assert {**stored, "path": summary["path"]} == summary


@pytest.mark.namespace
def test_all_variants_as_json_are_a_list_and_one_is_not(variants: Path, tmp_path: Path) -> None:
    results = tmp_path / "results"
    code, summaries = run_json(variants, "--results", results)
    assert code == 0
    assert [one["variant"] for one in summaries] == ["one", "three"]
    assert [one["backends"]["count"] for one in summaries] == [1, 3]
    assert len(list_runs(results)) == 2


@pytest.mark.namespace
def test_variants_are_shown_side_by_side_with_their_folders(variants: Path, tmp_path: Path) -> None:
    done = portchurn("run", variants, "--results", tmp_path / "results", "--quiet")
    assert done.code == 0
    assert "Side by side" in done.out
    assert "\n\n\n" not in done.out
    words = [line.split()[0] for line in done.out.splitlines()[-3:]]
    assert words == ["Results:", "Results:", "Page:"]


@pytest.mark.namespace
def test_a_threshold_that_fails_is_code_4(tmp_path: Path) -> None:
    text = SCENARIO + 'thresholds: ["ok == 49", "failed == 0"]\n'
    file = write_scenario(tmp_path / "strict.yaml", text)
    done = portchurn("run", file, "--results", tmp_path / "results", "--quiet")
    assert done.code == 4
    assert "ok == 49" in done.out
    assert "measured 50" in done.out


@pytest.mark.namespace
def test_both_loops_and_both_engines_count_the_same_and_pick_the_same(
    scenario: Path, tmp_path: Path
) -> None:
    found: list[Any] = []
    for flag, name in (("--loop", "asyncio"), ("--loop", "uvloop"), ("--engine", "model")):
        code, (summary,) = run_json(scenario, "--results", tmp_path / name, flag, name)
        assert code == 0
        assert summary["engine"] == ("model" if name == "model" else "kernel")
        backends = summary["backends"]
        found.append((summary["attempts"], backends["picks"], summary["verdict"]["code"]))
    assert found[0] == found[1] == found[2]


def test_the_model_is_named_in_text_and_costs_nothing(scenario: Path, tmp_path: Path) -> None:
    done = portchurn("run", scenario, "--engine", "model", "--results", tmp_path / "results")
    assert done.code == 0
    assert "model engine" in done.out
    assert "model: no CPU, no kernel cost, no network" in " ".join(done.out.split())
    assert "us per connection" not in done.out
    assert (tmp_path / "results" / "latest" / REPORT).read_text().endswith("</html>\n")
    shown = portchurn("show", "latest", "--results", tmp_path / "results")
    assert "model engine" in shown.out


def test_what_the_model_cannot_do_is_refused_by_name(scenario: Path, tmp_path: Path) -> None:
    done = portchurn(
        *("run", scenario, "--engine", "model", "--results", tmp_path / "results"),
        *("--set", "balancer.descriptors=100"),
    )
    assert done.code == 3
    assert "balancer.descriptors" in done.err
    assert_one_message(done.err)


@pytest.mark.namespace
@pytest.mark.parametrize("output", ["text", "json"])
def test_a_reader_who_leaves_early_gets_no_traceback(
    scenario: Path, tmp_path: Path, output: str
) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "wb") as gone:
        done = subprocess.run(
            [
                *(sys.executable, "-m", "simulator", "run", scenario, "--output", output),
                *("--results", tmp_path / "results", "--quiet"),
            ],
            stdin=subprocess.DEVNULL,
            stdout=gone,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
            timeout=60,
        )
    assert done.stderr == ""
    assert done.returncode == EXIT_INTERRUPTED
    (kept,) = list_runs(tmp_path / "results")
    assert kept.status == "complete"


# Stopping.


@pytest.mark.namespace
def test_stopping_variants_begins_no_further_one(tmp_path: Path) -> None:
    file = write_scenario(tmp_path / "long.yaml", VARIANTS.replace("500ms, arr", "30s, arr"))
    run = Running(file, tmp_path / "results").wait_until_running()
    run.process.send_signal(signal.SIGINT)
    done = run.finish()
    assert done.code == EXIT_INTERRUPTED
    assert "Stopping: no new connections" in done.err
    (only,) = list_runs(tmp_path / "results")
    assert (only.variant, only.status) == ("one", "complete")
    assert "stopped early" in (only.path / REPORT).read_text()


@pytest.mark.namespace
def test_on_a_terminal_the_word_of_stopping_stands_above_the_picture(tmp_path: Path) -> None:
    file = write_scenario(tmp_path / "long.yaml", SCENARIO.replace("500ms, arr", "30s, arr"))
    ours, theirs = pty.openpty()
    try:
        process = subprocess.Popen(
            [
                *(sys.executable, "-m", "simulator", "run", file),
                *("--results", tmp_path / "results"),
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=theirs,
            env={**os.environ, "TERM": "xterm", "COLUMNS": "80", "LINES": "24"},
        )
        os.close(theirs)
        shown = read_until(ours, b"running only")
        process.send_signal(signal.SIGINT)
        shown += read_until(ours, None)
        assert process.wait(30) == EXIT_INTERRUPTED
    finally:
        os.close(ours)
    # The picture is taken away before the line is written, and drawn again below it.
    before, _, after = shown.partition(b"Stopping: no new connections, saving.")
    assert before.endswith(b"\x1b[2K")
    assert b"A short one" in after


def read_until(terminal: int, word: bytes | None) -> bytes:
    """What a terminal was sent, until a word came or, without one, its writer ended."""
    shown = b""
    while word is None or word not in shown:
        try:
            data = os.read(terminal, 1 << 16)
        except OSError:  # EIO: nobody holds the other side
            break
        if not data:
            break
        shown += data
    return shown


@pytest.mark.parametrize(
    ("signals", "level", "code"),
    [
        ([], 0, 0),
        ([signal.SIGINT], 1, EXIT_INTERRUPTED),
        ([signal.SIGHUP], 1, EXIT_INTERRUPTED),
        ([signal.SIGTERM], 1, EXIT_TERMINATED),
        ([signal.SIGTERM, signal.SIGINT], 2, EXIT_TERMINATED),
        ([signal.SIGINT] * 5, 2, EXIT_INTERRUPTED),
    ],
)
def test_the_first_signal_names_the_code_and_is_answered_once(
    signals: list[signal.Signals], level: int, code: int
) -> None:
    stop = StopRequests()
    said: list[str] = []
    stop.say = said.append
    for number in signals:
        stop._ask(number)
    assert (stop.level(), stop.exit_code) == (level, code)
    assert len(said) == min(1, len(signals))


@pytest.mark.namespace
def test_a_closed_loop_is_named_while_it_runs_and_beside_its_numbers(tmp_path: Path) -> None:
    closed = SCENARIO.replace("arrivals: {constant: 100/s}", "users: {count: 3, think: 20ms}")
    done = portchurn(
        "run", write_scenario(tmp_path / "closed.yaml", closed), "--results", tmp_path / "results"
    )
    assert "A short one, closed loop" in done.err
    assert "MEASURED  closed loop, 3 users" in done.out


NAT = SCENARIO.replace("grace: 1s", "balancer: {driver: none}\nnat: {preset: ananta}")


def test_a_scenario_that_only_the_model_can_run_takes_it_with_a_word(tmp_path: Path) -> None:
    file = write_scenario(tmp_path / "nat.yaml", NAT)
    done = portchurn("run", file, "--results", tmp_path / "results", "--output", "json", "--quiet")
    assert done.code == 0
    assert done.summaries[0]["engine"] == "model"
    assert done.summaries[0]["nat"]["flows"] == 50
    assert done.err.startswith("By the model engine, without a socket (nat: ananta")


def test_an_engine_that_was_asked_for_is_not_exchanged(tmp_path: Path) -> None:
    file = write_scenario(tmp_path / "nat.yaml", NAT)
    done = portchurn("run", file, "--engine", "kernel", "--results", tmp_path / "results")
    assert done.code == EXIT_REFUSED
    assert "use --engine model" in done.err
    assert not list_runs(tmp_path / "results")


@pytest.mark.parametrize("error", [RunFailed("a role broke"), KeyboardInterrupt()])
def test_a_run_that_breaks_has_its_page_all_the_same(tmp_path: Path, error: BaseException) -> None:
    folder = aborted(tmp_path)

    def run() -> None:
        with page_after(shared=True) as begun:
            begun(folder)
            raise error

    with pytest.raises(type(error)):
        run()
    assert "ABORTED" in (folder / REPORT).read_text()


def test_a_page_that_cannot_be_written_takes_nothing_from_a_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = stored_run(tmp_path)
    (folder / REPORT).mkdir()
    with page_after(shared=True) as begun:
        begun(folder)
    assert "was not written" in capsys.readouterr().err
    with page_after(shared=True) as begun:
        begun(tmp_path / "refused")  # such a run leaves no folder
    assert capsys.readouterr().err == ""
