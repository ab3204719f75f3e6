"""What people see while a run goes on: a live display, or plain lines, always on stderr.

Showing must never disturb what is measured: the newest progress is drawn at most four times a
second, nothing waits, and a terminal that went away only ends the showing.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Final, Self

from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from simulator.clock import monotonic_ns
from simulator.report.bar import occupancy_bar
from simulator.report.safe_text import safe
from simulator.report.track import Track, sparkline
from simulator.units import NS_PER_S, format_count, format_rate

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from types import TracebackType

    from simulator.engine import HopNow, Progress

DRAW_EVERY_NS: Final = NS_PER_S // 4
LINE_EVERY_NS: Final = 5 * NS_PER_S
_ERRORS_SHOWN: Final = 4
_BAR_LEAST: Final = 10
_BAR_MOST: Final = 60


def never_stop() -> int:
    """For a run that nobody can stop: go on."""
    return 0


class LiveDisplay:
    """A `simulator.engine.Watch` that shows progress on stderr.

    Use it as a context manager; leaving it leaves the last picture on the screen.

    Args:
        title: what is run; may come from anybody.
        stop: asked by the engine through `stop_level`; the caller's signal handlers set it.
        quiet: show nothing.
        console: where to; default stderr, with colour as NO_COLOR and the terminal allow.
        now_ns: clock for the pace of drawing.
    """

    def __init__(
        self,
        *,
        title: str,
        stop: Callable[[], int] = never_stop,
        quiet: bool = False,
        console: Console | None = None,
        now_ns: Callable[[], int] = monotonic_ns,
    ) -> None:
        self._title = safe(title, 200)
        self._stop = stop
        self._quiet = quiet
        self._console = console or Console(stderr=True, highlight=False)
        self._now_ns = now_ns
        self._live: Live | None = None
        self._shown_ns: int | None = None
        self._heading = ""
        self._titled = False
        self._newest: Progress | None = None
        self._tracks: dict[str, Track] = {}
        self._noted: Sequence[HopNow] = ()

    def __enter__(self) -> Self:
        """Take the terminal, when there is one."""
        console = self._console
        if not self._quiet and console.is_terminal and not console.is_dumb_terminal:
            # No refresh thread: a draw happens inside `show`, at our pace, or not at all.
            self._live = Live(console=console, auto_refresh=False, redirect_stdout=False)
            with suppress(OSError):
                self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Draw the newest progress once more and give the terminal back."""
        with suppress(OSError):
            if self._newest is not None:
                self._draw(self._newest)
            if self._live is not None:
                self._live.stop()
        self._live = None
        self._newest = None

    def stop_level(self) -> int:
        """0 go on; 1 stop arrivals, drain and save; 2 end now."""
        return self._stop()

    def say(self, text: str) -> None:
        """Show a line that is no progress, also when quiet; a live picture stays below it."""
        with suppress(OSError):  # the terminal is gone
            self._console.print(text, markup=False, soft_wrap=True)

    def show(self, progress: Progress) -> None:
        """Take the newest progress; draws when it is time to, or when the phase has changed."""
        self._newest = progress
        if self._quiet:
            return
        self._note(progress)
        now = self._now_ns()
        heading = f"{progress.state} {progress.phase}"
        pace = DRAW_EVERY_NS if self._live else LINE_EVERY_NS
        due = self._shown_ns is None or now - self._shown_ns >= pace
        # A change of phase is worth a line of its own, but no faster than the pace of drawing.
        news = heading != self._heading and (
            self._shown_ns is None or now - self._shown_ns >= DRAW_EVERY_NS
        )
        if due or news:
            self._shown_ns, self._heading = now, heading
            try:
                self._draw(progress)
            except OSError:  # the terminal is gone; the run goes on
                self._quiet = True

    def _note(self, progress: Progress) -> None:
        """Keep the course of each hop; progress comes more often than samples do."""
        if progress.hops is self._noted:
            return
        self._noted = progress.hops
        for hop in progress.hops:
            track = self._tracks.setdefault(hop.name, Track())
            track.note(progress.elapsed_s, _used(hop), hop.budget)

    def _draw(self, progress: Progress) -> None:
        if self._quiet:
            return
        self._newest = None
        if self._live is None:
            if not self._titled:
                self._titled = True
                self._console.print(self._title, markup=False, soft_wrap=True)
            line = plain_line(progress, self._tracks)
            self._console.print(line, markup=False, soft_wrap=True)
        else:
            self._live.update(self.picture(progress), refresh=True)

    def picture(self, progress: Progress) -> Group:
        """The live display of one moment."""
        width = self._console.width
        errors = [Text(line, "red", no_wrap=True) for line in error_lines(progress)]
        lines = [
            _fitted(f"{self._title}", "bold"),
            _fitted(
                f"{progress.state} {safe(progress.phase, 64)}  ·  {progress.elapsed_s:.1f}s gone, "
                f"{progress.left_s:.1f}s left"
            ),
            _fitted(_rates(progress)),
            *[
                line
                for hop in progress.hops
                for line in _hop_lines(hop, self._tracks.get(hop.name), width)
            ],
            *errors,
        ]
        return Group(*lines)


def _fitted(text: str, style: str = "") -> Text:
    return Text(text, style, no_wrap=True, overflow="ellipsis")


def _rates(progress: Progress) -> str:
    return (
        f"asked {format_rate(progress.asked_per_s)}  sent {format_rate(progress.sent_per_s)}  "
        f"ok {format_rate(progress.ok_per_s)}  ·  open {format_count(progress.open)}  "
        f"failed {format_count(progress.failed)}  "
        f"done {format_count(progress.ok + progress.failed)} of {format_count(progress.planned)}"
    )


def _used(hop: HopNow) -> int:
    return hop.established + hop.time_wait + hop.other


def _hop_counts(hop: HopNow, track: Track | None = None) -> str:
    outlook = f" · {track.outlook()}" if track is not None else ""
    other = f", {format_count(hop.other)} other" if hop.other else ""
    return (
        f"{format_count(_used(hop))} of {format_count(hop.budget)} tuples "
        f"({format_count(hop.established)} established, "
        f"{format_count(hop.time_wait)} TIME_WAIT{other}){outlook}"
    )


def _hop_lines(hop: HopNow, track: Track | None, width: int) -> list[Text]:
    cells = max(_BAR_LEAST, min(_BAR_MOST, width - 22))
    bar = occupancy_bar(
        budget=hop.budget,
        established=hop.established,
        time_wait=hop.time_wait,
        other=hop.other,
        width=cells,
    )
    first = Text(no_wrap=True, overflow="ellipsis").append(f"{safe(hop.name, 18):<18} [")
    lines = [first.append_text(bar).append("]")]
    if track is not None:
        course = sparkline(track.shares(cells))
        lines.append(_fitted(f"{'in use so far':>18}  {course}", "dim"))
    lines.append(_fitted(f"{'':<18}  {_hop_counts(hop, track)}"))
    return lines


def error_lines(progress: Progress) -> list[str]:
    """The most frequent errors, most frequent first, one line each."""
    most = sorted(progress.errors.items(), key=lambda item: (-item[1], item[0]))
    lines = [f"{format_count(count):>10}  {safe(key, 120)}" for key, count in most[:_ERRORS_SHOWN]]
    if len(most) > _ERRORS_SHOWN:
        rest = sum(count for _, count in most[_ERRORS_SHOWN:])
        lines.append(f"{format_count(rest):>10}  of {len(most) - _ERRORS_SHOWN} other kinds")
    return lines


def plain_line(progress: Progress, tracks: Mapping[str, Track] | None = None) -> str:
    """The same on one line, for logs and pipes.

    Args:
        progress: of this moment.
        tracks: by hop, for what is left and when it will be gone.
    """
    courses = tracks or {}
    parts = [
        (
            f"{progress.elapsed_s:6.1f}s {progress.state} {safe(progress.phase, 64)}: "
            f"{_rates(progress)}"
        )
    ]
    parts += [
        f"{safe(hop.name, 32)} {_hop_counts(hop, courses.get(hop.name))}" for hop in progress.hops
    ]
    parts += [" ".join(line.split()) for line in error_lines(progress)]
    return "; ".join(parts)
