"""The group of verbs: lazy, forgiving of spelling, and with one documented end for each error."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from types import ModuleType
from typing import TYPE_CHECKING, NoReturn

import click
import pytest

from simulator import __version__, cli, errors

if TYPE_CHECKING:
    from pathlib import Path

HEAVY = ("numpy", "aiohttp", "pydantic", "uvloop", "plotly", "rich")
#: Runs a command line and says, as its last line, which heavy packages that loaded.
LOADED_BY = """
import json, sys
from simulator.cli import main
sys.argv = ["portchurn", *sys.argv[1:]]
try:
    main()
except SystemExit as end:
    heavy = [name for name in {heavy!r} if name in sys.modules]
    print(json.dumps({{"code": end.code, "loaded": heavy}}))
"""


def python(*arguments: str, code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
        stdin=subprocess.DEVNULL,
    )


def loaded_by(*arguments: str) -> tuple[int, set[str]]:
    done = python(*arguments, code=LOADED_BY.format(heavy=HEAVY))
    found = json.loads(done.stdout.splitlines()[-1])
    return found["code"], set(found["loaded"])


@pytest.mark.parametrize("arguments", [["--help"], ["-h"], ["--version"], ["prot-wall"]])
def test_help_and_a_misspelt_verb_load_nothing_heavy(arguments: list[str]) -> None:
    code, loaded = loaded_by(*arguments)
    assert code == (2 if arguments == ["prot-wall"] else 0)
    assert loaded == set()


def test_validate_checks_a_file_without_numpy_loops_or_pages(tmp_path: Path) -> None:
    scenario = tmp_path / "good.yaml"
    scenario.write_text(
        "title: a good one\ntraffic: [{name: a, for: 1s, arrivals: {constant: 10/s}}]\n"
    )
    code, loaded = loaded_by("validate", str(scenario))
    assert code == 0
    assert loaded <= {"pydantic"}


def test_the_help_names_every_verb_in_order() -> None:
    done = python(code="import sys; from simulator.cli import group; group(['--help'])")
    assert done.returncode == 0
    shown = done.stdout[done.stdout.index("Verbs:") :].splitlines()[1:]
    assert [line.split()[0] for line in shown if line.startswith("  ") and line[2] != " "] == list(
        cli.VERBS
    )


@pytest.mark.parametrize("verb", cli.VERBS)
def test_every_verb_leads_to_a_command_that_explains_itself(verb: str) -> None:
    command = cli.group.get_command(click.Context(cli.group), verb)
    assert command is not None
    assert command.help


def call_main(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *arguments: str
) -> tuple[object, str, str]:
    """Exit code, standard output and standard error of one command line, in this process."""
    monkeypatch.setattr(sys, "argv", ["portchurn", *arguments])
    with pytest.raises(SystemExit) as end:
        cli.main()
    shown = capsys.readouterr()
    return end.value.code, shown.out, shown.err


@pytest.mark.parametrize(
    ("typed", "meant"), [("rnu", "run"), ("vlaidate", "validate"), ("explian", "explain")]
)
def test_a_misspelt_verb_names_the_nearest(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], typed: str, meant: str
) -> None:
    code, out, err = call_main(monkeypatch, capsys, typed)
    assert code == errors.EXIT_USAGE
    assert out == ""
    assert f"No such verb '{typed}'. Did you mean '{meant}'?" in err


def test_a_verb_like_no_other_lists_them_all(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    code, _, err = call_main(monkeypatch, capsys, "xyzzy")
    assert code == errors.EXIT_USAGE
    assert all(verb in err for verb in cli.VERBS)


def test_the_version(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = call_main(monkeypatch, capsys, "--version")
    assert code == 0
    assert __version__ in out


def plant(monkeypatch: pytest.MonkeyPatch, ending: BaseException | int) -> None:
    """Add a verb `planted` that ends in this way."""

    @click.command(name="planted")
    def command() -> NoReturn:
        if isinstance(ending, int):
            sys.exit(ending)
        raise ending

    module = ModuleType("simulator.cli.planted")
    module.__dict__["command"] = command
    monkeypatch.setitem(sys.modules, "simulator.cli.planted", module)
    monkeypatch.setitem(cli.VERBS, "planted", ("planted", "Ends as a test wants it."))


ENDINGS: list[tuple[BaseException | int, int]] = [
    *((kind("what is wrong"), kind.exit_code) for kind in errors.PortchurnError.__subclasses__()),
    (click.UsageError("what is wrong"), 2),
    (click.BadParameter("what is wrong"), 2),
    (click.FileError("a file", "what is wrong"), 2),
    (click.Abort(), 130),
    (KeyboardInterrupt(), 130),
    (4, 4),
    (0, 0),
]


@pytest.mark.parametrize(("ending", "code"), ENDINGS, ids=lambda one: type(one).__name__)
def test_each_ending_has_its_exit_code_and_one_message(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    ending: BaseException | int,
    code: int,
) -> None:
    plant(monkeypatch, ending)
    found, out, err = call_main(monkeypatch, capsys, "planted")
    assert found == code
    assert out == ""
    assert "Traceback" not in err
    if isinstance(ending, Exception) and not isinstance(ending, click.Abort):
        assert err.count("what is wrong") == 1


def test_an_error_that_is_nobodys_keeps_its_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    plant(monkeypatch, ZeroDivisionError("our bug"))
    monkeypatch.setattr(sys, "argv", ["portchurn", "planted"])
    with pytest.raises(ZeroDivisionError, match="our bug"):
        cli.main()


OWN_PIPE = """
import os, sys
from types import ModuleType
import click
from simulator import cli
@click.command(name="planted")
def command():
    read, write = os.pipe()
    os.close(read)
    os.write(write, b"x")
module = ModuleType("simulator.cli.planted")
module.command = command
sys.modules["simulator.cli.planted"] = module
cli.VERBS["planted"] = ("planted", "")
sys.argv = ["portchurn", "planted"]
cli.main()
"""


def test_a_broken_pipe_of_our_own_is_not_taken_for_a_reader_that_left() -> None:
    done = python(code=OWN_PIPE)
    assert done.returncode == errors.EXIT_INTERNAL
    assert done.stderr.rstrip().endswith("BrokenPipeError: [Errno 32] Broken pipe")


@pytest.mark.parametrize("arguments", [["--help"], ["schema"], ["list", "--help"]])
def test_a_reader_that_left_ends_the_command_quietly(arguments: list[str]) -> None:
    """As in `portchurn list | head -1`: no traceback, and not the code of a bug of ours."""
    read, write = os.pipe()
    os.close(read)
    try:
        done = subprocess.run(
            [sys.executable, "-m", "simulator", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=write,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
            timeout=30,
        )
    finally:
        os.close(write)
    assert done.stderr == ""
    assert done.returncode == errors.EXIT_INTERRUPTED
