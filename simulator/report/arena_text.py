"""The arena's scores and the list of its algorithms as tables, for the terminal and for pages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from simulator.report.safe_text import DASH
from simulator.units import format_count

if TYPE_CHECKING:
    from collections.abc import Sequence

    from simulator.ports.arena import Game
    from simulator.ports.arena_score import Score
    from simulator.ports.selection.catalogue import Algorithm

HEADS: Final = (
    "algorithm",
    "busy by",
    "probes",
    "p99",
    "failed",
    "early",
    "full at",
    "uneven",
    "back min",
    "back median",
    "remembered",
    "guessed own",
    "guessed other",
)


def game_line(game: Game, seeds: int = 1) -> str:
    """What was played, in a sentence; of several seeds, how many there were."""
    seed = f"seed {game.seed}" if seeds == 1 else f"medians of {seeds} seeds from {game.seed} on"
    return (
        f"{format_count(game.connections)} connections at {game.rate_per_s:,.0f}/s toward "
        f"{game.destinations} destination{'s' * (game.destinations > 1)}, ports {game.ports} "
        f"({format_count(len(game.ports))}), {game.load:.0%} of them busy in the mean: lifetime "
        f"{game.lifetime_s:g} s, TIME_WAIT {game.time_wait_s:g} s; memory {game.memory_s:g} s; an "
        f"outsider sees every {_ordinal(game.every)} port and guesses within "
        f"{game.window}; {seed}."
    )


def _ordinal(number: int) -> str:
    ending = {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{'th' if 10 < number % 100 < 14 else ending}"


def rows(scores: Sequence[Score]) -> list[list[str]]:
    """The cells of each score, under `HEADS`."""
    return [
        [
            one.name,
            one.scope,
            f"{one.probes_mean:,.1f}",
            format_count(one.probes_p99),
            format_count(one.failed),
            format_count(one.failed_early),
            f"{one.full_at:.1%}",
            f"{one.unevenness:.2f}",
            DASH if one.returns_min is None else format_count(one.returns_min),
            DASH if one.returns_median is None else format_count(round(one.returns_median)),
            _percent(one.remembered),
            _percent(one.guessed_own),
            _percent(one.guessed_other),
        ]
        for one in scores
    ]


def _percent(share: float | None) -> str:
    return DASH if share is None else f"{share:.1%}"


def scores_text(game: Game, scores: Sequence[Score], seeds: int = 1) -> str:
    """The table for a terminal; ends in a line break."""
    table = [list(HEADS), *rows(scores)]
    widths = [max(len(line[column]) for line in table) for column in range(len(HEADS))]
    lines = [game_line(game, seeds), ""]
    for line in table:
        cells = [cell.rjust(width) for cell, width in zip(line, widths, strict=True)]
        cells[0] = line[0].ljust(widths[0])
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines) + "\n"


def scores_markdown(game: Game, scores: Sequence[Score], seeds: int = 1) -> str:
    """The table for a page; ends in a line break."""
    lines = [game_line(game, seeds), "", _line(HEADS)]
    lines.append(_line(["---", "---", *("---:" for _ in HEADS[2:])]))
    lines += [_line(cells) for cells in rows(scores)]
    return "\n".join(lines) + "\n"


def algorithms_markdown(algorithms: Sequence[Algorithm]) -> str:
    """Every algorithm with its state, cost and source; ends in a line break."""
    heads = ["algorithm", "used by", "busy by", "state", "ports looked at", "last port", "source"]
    lines = [_line(heads), _line(["---"] * len(heads))]
    for one in algorithms:
        last = "found" if one.finds_last else "may be missed"
        lines.append(
            _line([one.name, one.used_by, one.scope, one.state, one.cost, last, one.source])
        )
    return "\n".join(lines) + "\n"


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
