"""`portchurn arena`: algorithms of port selection play one stream of connections, by arithmetic."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from simulator.cli.options import seed_option
from simulator.errors import EXIT_OK, UsageError

if TYPE_CHECKING:
    from simulator.ports.arena import Game
    from simulator.ports.arena_score import Score
    from simulator.ports.selection.catalogue import Algorithm

Curves = dict[str, list[tuple[float, float]]]


@click.command(name="arena")
@click.option("--ports", default="49152-53247", show_default=True, help="The range.")
@click.option(
    "--load",
    default=0.5,
    show_default=True,
    type=click.FloatRange(0, 100, min_open=True),
    help="Share of the range that is busy in the mean.",
)
@click.option(
    "--connections", default=40_000, show_default=True, type=click.IntRange(1, 10_000_000)
)
@click.option("--destinations", default=4, show_default=True, type=click.IntRange(1, 100_000))
@click.option("--lifetime", default="1s", show_default=True, help="Mean life of a connection.")
@click.option("--time-wait", default="1s", show_default=True, help="And how long it holds on.")
@click.option(
    "--memory",
    default="2500ms",
    show_default=True,
    help="How long a server or firewall remembers an ended tuple.",
)
@click.option(
    "--every",
    default=4,
    show_default=True,
    type=click.IntRange(1, 1000),
    help="An outsider sees every so manieth port.",
)
@click.option(
    "--window",
    default=8,
    show_default=True,
    type=click.IntRange(0, 30_000),
    help="His guess counts when it is so near.",
)
@click.option(
    "--algorithm",
    "names",
    multiple=True,
    metavar="NAME",
    help="Only this one; may be repeated. All without it.",
)
@click.option(
    "--seeds",
    default=1,
    show_default=True,
    type=click.IntRange(1, 1000),
    help="Play so many seeds from --seed on, and show medians.",
)
@click.option("--list", "listed", is_flag=True, help="Say what there is, and play nothing.")
@click.option(
    "--plot",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE.svg",
    help="Draw what a pick costs while the range fills.",
)
@click.option(
    "--output",
    type=click.Choice(["text", "json", "markdown"]),
    default="text",
    show_default=True,
    help="Output form.",
)
@seed_option
def command(
    *,
    names: tuple[str, ...],
    seeds: int,
    listed: bool,
    plot: Path | None,
    output: str,
    **asked: Any,  # noqa: ANN401 - the other options, which `_game` names and types
) -> int:
    """Let algorithms of port selection play the same connections, and compare them.

    Pure arithmetic: no socket is opened. Columns are explained in docs/port-selection.md.
    """
    from simulator.ports.arena_score import middle
    from simulator.report.arena_text import algorithms_markdown, scores_markdown, scores_text

    chosen = _chosen(names)
    if listed:
        click.echo(algorithms_markdown(chosen), nl=False)
        return EXIT_OK
    game = _game(**asked)
    if game.is_short:
        click.echo(
            f"Few connections for {len(game.ports):,} ports: take --connections "
            f"{10 * len(game.ports)} or so, or ports come back too seldom to compare.",
            err=True,
        )
    games, curves = _play_all(chosen, [replace(game, seed=game.seed + n) for n in range(seeds)])
    scores = [middle(played) for played in games]
    if plot is not None:
        _draw(plot, game, curves)
    if output == "json":
        click.echo(json.dumps(_as_json(game, games, curves), indent=2))
    elif output == "markdown":
        click.echo(scores_markdown(game, scores, seeds), nl=False)
    else:
        click.echo(scores_text(game, scores, seeds), nl=False)
    return EXIT_OK


def _chosen(names: tuple[str, ...]) -> list[Algorithm]:
    from simulator.ports.selection.catalogue import ALGORITHMS, algorithm

    try:
        return [algorithm(name) for name in dict.fromkeys(names)] or list(ALGORITHMS)
    except ValueError as error:
        raise UsageError(str(error)) from None


def _game(  # noqa: PLR0913 - one argument an option
    *,
    ports: str,
    load: float,
    connections: int,
    destinations: int,
    lifetime: str,
    time_wait: str,
    memory: str,
    every: int,
    window: int,
    seed: int | None,
) -> Game:
    from simulator.ports.arena import Game
    from simulator.ports.range import parse_port_range

    try:
        chosen = parse_port_range(ports)
    except ValueError as error:
        raise UsageError(f"--ports {ports} {error}") from None
    lifetime_s = _seconds("--lifetime", lifetime)
    if not lifetime_s:
        raise UsageError("--lifetime must be longer than nothing, such as 10ms")
    return Game(
        ports=chosen,
        load=load,
        connections=connections,
        destinations=destinations,
        lifetime_s=lifetime_s,
        time_wait_s=_seconds("--time-wait", time_wait),
        memory_s=_seconds("--memory", memory),
        every=every,
        window=window,
        seed=1 if seed is None else seed,
    )


def _seconds(option: str, text: str) -> float:
    from simulator.units import parse_time_ns

    try:
        return parse_time_ns(text) / 1e9
    except ValueError as error:
        raise UsageError(f"{option} {text}: {error}") from None


def _play_all(chosen: list[Algorithm], games: list[Game]) -> tuple[list[list[Score]], Curves]:
    """Each algorithm's scores, a game each, and its cost by occupancy under the first seed."""
    from simulator.ports.arena import fill, play, stream
    from simulator.ports.arena_score import score

    streams = [stream(game) for game in games]
    scores: list[list[Score]] = []
    curves: Curves = {}
    for number, one in enumerate(chosen, 1):
        click.echo(f"{number}/{len(chosen)} {one.name}", err=True)
        scores.append([])
        for game, connections in zip(games, streams, strict=True):
            played, full = play(one, game, connections), fill(one, game)
            scores[-1].append(score(one.name, one.scope, game, connections, played, full))
            curves.setdefault(one.name, full.curve())
    return scores, curves


def _draw(path: Path, game: Game, curves: Curves) -> None:
    from simulator.report.arena_svg import probes_svg

    title = f"What a pick costs while ports {game.ports} fill toward one destination"
    try:
        path.write_text(probes_svg(title, curves))
    except OSError as error:
        raise UsageError(f"--plot {path}: {error.strerror}") from None


def _as_json(game: Game, games: list[list[Score]], curves: Curves) -> dict[str, Any]:
    """Medians of all seeds, and what each seed gave."""
    from simulator.ports.arena_score import middle

    return {
        "schema": "portchurn.arena/1",
        "game": {**asdict(game), "ports": str(game.ports), "rate_per_s": game.rate_per_s},
        "seeds": [game.seed + number for number in range(len(games[0]))],
        "scores": [
            {
                **asdict(middle(played)),
                "probes_by_occupancy": curves[played[0].name],
                "by_seed": [asdict(one) for one in played],
            }
            for played in games
        ],
    }
