"""What the arena measures of an algorithm's picks: cost, failures, evenness, memory, secrecy."""

from __future__ import annotations

from collections import Counter, defaultdict, deque
from dataclasses import dataclass, fields, replace
from statistics import fmean, median, median_low
from typing import TYPE_CHECKING, Any, Final

from simulator.ports.selection.selector import NO_PORT

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from simulator.ports.arena import Connection, Filling, Game, Play

#: Steps from which an outsider takes the one to expect; old ones are forgotten.
_STEPS_KEPT: Final = 9


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """One algorithm's game.

    Attributes:
        name: of the algorithm.
        scope: ``tuple`` or ``port``: what it takes for busy.
        probes_mean: ports looked at for a pick.
        probes_p99: and at its 99th percentile.
        failed: connections without a port.
        failed_early: those of them that failed while a port was free.
        full_at: share of a range in use when filling it first failed; 1.0 is all of it.
        unevenness: chi-square of the uses of each port over its degrees of freedom: 0 is all
            alike, 1 is what dice give, more is a preference.
        gini: of the uses of each port, 0 all alike to 1 all on one.
        returns_min: picks toward a destination from one use of a port to the next, shortest; None
            where no tuple came back.
        returns_median: and in the middle.
        remembered: share of picks whose tuple had ended less than the memory before.
        guessed_own: share of ports guessed right by an outsider who sees every so manieth port
            that comes to himself and guesses the next one that does.
        guessed_other: and by one who sees every so manieth port of the host, and guesses the next
            one where that goes to somebody else; None where there is nobody else.
    """

    name: str
    scope: str
    probes_mean: float
    probes_p99: int
    failed: int
    failed_early: int
    full_at: float
    unevenness: float
    gini: float
    returns_min: int | None
    returns_median: float | None
    remembered: float | None
    guessed_own: float | None
    guessed_other: float | None


def score(
    name: str,
    scope: str,
    game: Game,
    connections: Sequence[Connection],
    played: Play,
    full: Filling,
) -> Score:
    """All measures of one algorithm's game."""
    size = len(game.ports)
    given = [
        (one, port) for one, port in zip(connections, played.ports, strict=True) if port != NO_PORT
    ]
    uses = Counter(port for _, port in given)
    counts = [uses[port] for port in range(game.ports.first, game.ports.last + 1)]
    distances = returns((one.destination, port) for one, port in given)
    toward: dict[int, list[tuple[int, int]]] = defaultdict(list)
    for one, port in given:
        toward[one.destination].append((0, port))
    everybody = [(one.destination, port) for one, port in given]
    own = [guesses(seen, size, game.every, game.window) for seen in toward.values()]
    other = guesses(everybody, size, game.every, game.window, others=True)
    probes = sorted(played.probes)
    return Score(
        name=name,
        scope=scope,
        probes_mean=fmean(probes),
        probes_p99=probes[min(len(probes) - 1, len(probes) * 99 // 100)],
        failed=len(connections) - len(given),
        failed_early=played.early,
        full_at=full.full_at,
        unevenness=unevenness(counts),
        gini=gini(counts),
        returns_min=min(distances, default=None),
        returns_median=median(distances) if distances else None,
        remembered=_share([_remembered(given, game.memory_s)]),
        guessed_own=_share(own),
        guessed_other=_share([other]),
    )


def middle(scores: Sequence[Score]) -> Score:
    """The median of each measure of one algorithm's games under several seeds.

    Of whole numbers the lower of two in the middle; games where a measure has no value are left
    out of it, and where none has one the median has none.
    """
    if len(scores) == 1:
        return scores[0]
    found: dict[str, Any] = {}
    for field in fields(Score):
        values = [getattr(one, field.name) for one in scores]
        told = [value for value in values if value is not None]
        whole = told and not isinstance(told[0], float)
        found[field.name] = (median_low if whole else median)(told) if told else None
    return replace(scores[0], **found)


def unevenness(counts: Sequence[int]) -> float:
    """Chi-square against equal use, over its degrees of freedom (0 for a single port)."""
    mean = sum(counts) / len(counts)
    if not mean or len(counts) < 2:
        return 0.0
    return sum((count - mean) ** 2 for count in counts) / mean / (len(counts) - 1)


def gini(counts: Sequence[int]) -> float:
    """Gini coefficient: 0 where all are alike, toward 1 where one has everything."""
    total, size = sum(counts), len(counts)
    if not total:
        return 0.0
    ranked = sum(rank * count for rank, count in enumerate(sorted(counts), 1))
    return (2 * ranked - (size + 1) * total) / (size * total)


def returns(tuples: Iterable[tuple[int, int]]) -> list[int]:
    """Picks toward the same destination from each use of a port to its next one.

    Args:
        tuples: destination and port of each pick, in order.
    """
    turn: Counter[int] = Counter()
    last: dict[tuple[int, int], int] = {}
    found = []
    for place in tuples:
        now = turn[place[0]] = turn[place[0]] + 1
        before = last.get(place)
        if before is not None:
            found.append(now - before)
        last[place] = now
    return found


def guesses(
    picks: Sequence[tuple[int, int]], size: int, every: int, window: int, *, others: bool = False
) -> tuple[int, int]:
    """How many ports an outsider guessed, and how many he tried.

    He sees every ``every``-th port. From the steps between the last few that he saw he takes the
    middle one, a share of which he adds to what he sees, and that is his guess for the port that
    comes next. It counts within ``window`` ports, round the end of the range as well. Blind
    guessing gives (2 window + 1) / size.

    Args:
        picks: destination and port of each pick, in order.
        size: ports of the range.
        every: how many picks there are for each one that he sees.
        window: how far a guess may be off.
        others: count only those guesses where the next pick goes elsewhere than the one he saw.
    """
    seen: deque[int] = deque(maxlen=_STEPS_KEPT)
    hits = tried = 0
    for index in range(2 * every - 1, len(picks) - 1, every):
        place, port = picks[index]
        next_place, next_port = picks[index + 1]
        seen.append(_around(port - picks[index - every][1], size))
        if others and next_place == place:
            continue
        guess = port + round(median(seen) / every)
        hits += abs(_around(next_port - guess, size)) <= window
        tried += 1
    return hits, tried


def _around(step: int, size: int) -> int:
    """The same step round the ring of ports, from -size/2 up to size/2."""
    return (step + size // 2) % size - size // 2


def _remembered(given: Sequence[tuple[Connection, int]], memory_s: float) -> tuple[int, int]:
    """Picks of a tuple that ended less than the memory before, and all picks."""
    ended: dict[tuple[int, int], float] = {}
    met = 0
    for one, port in given:
        place = (one.destination, port)
        met += one.at_s - ended.get(place, -memory_s) < memory_s
        ended[place] = one.ends_s
    return met, len(given)


def _share(parts: Sequence[tuple[int, int]]) -> float | None:
    """Sum of the first over sum of the second; None of nothing."""
    tried = sum(part[1] for part in parts)
    return sum(part[0] for part in parts) / tried if tried else None
