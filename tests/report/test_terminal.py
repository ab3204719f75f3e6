"""The live display: right numbers, a bounded pace, no harm from names or a lost terminal."""

from __future__ import annotations

import errno
import io
from typing import Any

import pytest
from rich.console import Console

from simulator.engine import HopNow, Progress
from simulator.report.terminal import DRAW_EVERY_NS, LINE_EVERY_NS, LiveDisplay, plain_line

FULL = HopNow(name="balancer-backend", budget=2000, established=38, time_wait=1962, other=0)


def progress(**changes: Any) -> Progress:  # noqa: ANN401 - any field
    """A moment of a run at its wall."""
    values: dict[str, Any] = {
        "state": "running",
        "phase": "ramp",
        "elapsed_s": 12.34,
        "left_s": 4.6,
        "planned": 10_000,
        "sent": 6_000,
        "ok": 4_000,
        "failed": 1_203,
        "open": 80,
        "sent_per_s": 3_998.0,
        "ok_per_s": 3_512.0,
        "asked_per_s": 4_000.0,
        "errors": {"balancer-backend/connect/EADDRNOTAVAIL": 1_203},
        "hops": (FULL,),
    }
    return Progress(**{**values, **changes})


class Clock:
    """A clock that moves when told to."""

    def __init__(self) -> None:
        self.now_ns = 0

    def __call__(self) -> int:
        return self.now_ns


def screen(*, terminal: bool = True, color: bool = False) -> Console:
    """A console that writes into memory."""
    return Console(
        file=io.StringIO(),
        force_terminal=terminal,
        width=100,
        color_system="standard" if color else None,
        _environ={"TERM": "xterm"},
    )


def written(console: Console) -> str:
    """What a console has written so far."""
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_the_picture_shows_rates_occupancy_and_errors() -> None:
    console = screen()
    console.print(LiveDisplay(title="Port wall", console=console).picture(progress()))
    shown = written(console)
    assert "12.3s gone, 4.6s left" in shown
    assert "asked 4,000/s  sent 3,998/s  ok 3,512/s" in shown
    assert "E" + "T" * 59 + "]" in shown
    assert "2,000 of 2,000 tuples (38 established, 1,962 TIME_WAIT)" in shown
    assert "1,203  balancer-backend/connect/EADDRNOTAVAIL" in shown
    assert "\x1b[" not in shown


def test_the_bar_has_colours_where_there_are_any() -> None:
    console = screen(color=True)
    console.print(LiveDisplay(title="Port wall", console=console).picture(progress()))
    assert "\x1b[30;42mE" in written(console)


def filling(display: LiveDisplay, clock: Clock) -> None:
    """Show four seconds in which a hop's tuples are used up by 200 a second."""
    for at in range(41):
        hop = HopNow(
            name="balancer-backend", budget=1000, established=0, time_wait=20 * at, other=0
        )
        for _ in range(2):  # progress is shown more often than there are samples
            display.show(progress(elapsed_s=at / 10, hops=(hop,)))
        clock.now_ns += DRAW_EVERY_NS


def test_the_course_of_a_hop_and_its_outlook_are_shown() -> None:
    clock, console = Clock(), screen()
    with LiveDisplay(title="x", console=console, now_ns=clock) as display:
        filling(display, clock)
    *_, picture = written(console).split("balancer-backend   [")
    _, course, counts, *_ = picture.splitlines()
    assert course.startswith("     in use so far    ▁▁")
    assert course.rstrip().endswith("▆▇▇▇▇")
    assert "800 TIME_WAIT) · 200 left, wall in 1s" in counts


def test_a_plain_line_has_the_outlook_and_no_picture() -> None:
    clock, console = Clock(), screen(terminal=False)
    with LiveDisplay(title="x", console=console, now_ns=clock) as display:
        filling(display, clock)
    assert "800 TIME_WAIT) · 200 left, wall in 1s" in written(console)
    assert "▁" not in written(console)


def test_no_more_than_four_pictures_a_second_are_drawn() -> None:
    clock, console = Clock(), screen()
    drawn = 0
    with LiveDisplay(title="x", console=console, now_ns=clock) as display:
        for _ in range(100):
            before = len(written(console))
            display.show(progress())
            drawn += len(written(console)) > before
            clock.now_ns += DRAW_EVERY_NS // 10
    assert drawn == 10


def test_the_last_progress_is_drawn_even_when_it_came_too_early() -> None:
    clock, console = Clock(), screen()
    with LiveDisplay(title="x", console=console, now_ns=clock) as display:
        display.show(progress())
        display.show(progress(state="done", sent=9_999, ok=9_000, failed=999))
    assert "done 9,999 of 10,000" in written(console)


def test_without_a_terminal_there_is_a_plain_line_every_few_seconds_and_for_each_phase() -> None:
    clock, console = Clock(), screen(terminal=False)
    with LiveDisplay(title="Port wall [one]", console=console, now_ns=clock) as display:
        for _ in range(20):
            display.show(progress())
            clock.now_ns += LINE_EVERY_NS // 10
        display.show(progress(phase="after"))
    title, *lines = written(console).splitlines()
    assert title == "Port wall [one]"
    assert [line.split(":")[0].split()[-1] for line in lines] == ["ramp", "ramp", "after"]
    assert "\x1b" not in written(console)


def test_quiet_writes_nothing() -> None:
    console = screen()
    with LiveDisplay(title="x", quiet=True, console=console) as display:
        display.show(progress())
    assert written(console) == ""


def test_names_from_a_scenario_are_only_text() -> None:
    console = screen(color=True)
    display = LiveDisplay(title="[red]\x1b]0;owned\x07[/nope]", console=console)
    console.print(display.picture(progress(phase="\x1b[2J[bold]", errors={"\x1b[31m[/]": 1})))
    shown = written(console)
    assert "[red]" in shown
    assert "[/nope]" in shown
    assert "\x1b]0" not in shown
    assert "\x1b[2J" not in shown
    assert "\x1b[31m[/]" not in shown


def test_the_rest_of_many_kinds_of_errors_is_summed() -> None:
    line = plain_line(progress(errors={f"kind-{n}": 10 - n for n in range(7)}))
    assert "10 kind-0; 9 kind-1; 8 kind-2; 7 kind-3; 15 of 3 other kinds" in line


def test_a_terminal_that_went_away_ends_only_the_showing() -> None:
    class Gone(io.StringIO):
        def write(self, text: str) -> int:
            raise OSError(errno.EIO, "gone")

    clock = Clock()
    console = Console(file=Gone(), force_terminal=False)
    with LiveDisplay(title="x", console=console, now_ns=clock) as display:
        display.show(progress())
        clock.now_ns += LINE_EVERY_NS
        display.show(progress())


@pytest.mark.parametrize("level", [0, 1, 2])
def test_the_engine_is_told_what_the_user_asked_for(level: int) -> None:
    assert LiveDisplay(title="x", stop=lambda: level, quiet=True).stop_level() == level


@pytest.mark.parametrize("quiet", [False, True])
def test_what_is_said_is_shown_even_when_progress_is_not(quiet: bool) -> None:
    console = screen(terminal=False)
    with LiveDisplay(title="x", console=console, quiet=quiet) as display:
        display.say("Stopping [now]")
    assert written(console) == "Stopping [now]\n"


def test_what_is_said_takes_the_picture_away_first_and_draws_it_again_below() -> None:
    console = screen()
    with LiveDisplay(title="the picture", console=console) as display:
        display.show(progress())
        display.say("Stopping")
        before, _, after = written(console).partition("Stopping")
        assert before.endswith("\x1b[2K")
        assert "the picture" in after
