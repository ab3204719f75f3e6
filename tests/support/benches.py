"""One short round of each subject of a bench, as its verb does it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from simulator.bench.rounds import run_rounds

if TYPE_CHECKING:
    from simulator.bench.spec import Bench, Values


def one_round(bench: Bench, **options: float) -> dict[str, Values]:
    """The values of a round of each installed subject, with some options set."""
    given = {**bench.defaults(), **{name.replace("_", "-"): o for name, o in options.items()}}
    assert set(given) == set(bench.defaults()), "an option that the bench does not have"
    installed = [subject for subject, version in bench.versions().items() if version is not None]
    found = run_rounds(bench, installed, 1, given, lambda _line: None)
    return {subject: values for subject, (values,) in found.items()}
