"""What a bench is: a name, a question, subjects, metrics, options; and its rounds.

A module of a bench has one `BENCH` and one function `measure(subject, options)`, which is called in
a fresh process and returns the values of one round by metric.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

#: One round's values by metric.
Values = dict[str, float]
#: Options of a bench by name.
Given = dict[str, float]


def _nothing(_results: Mapping[str, Sequence[Values]]) -> list[str]:
    return []


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """A number that a bench lets its user choose.

    Attributes:
        name: as in ``--name``, with minus signs.
        default: where it is not given.
        least: smallest value.
        most: largest value.
        text: what it is, for ``--help``.
        whole: whether it is a whole number.
    """

    name: str
    default: float
    least: float
    most: float
    text: str
    whole: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """One bench.

    Attributes:
        name: as in ``portchurn bench NAME``.
        question: what it answers, in a sentence.
        units: unit of each metric, in the order of the table.
        versions: every subject there could be, with its version, None where it is not installed.
        against: the subject that the others are held against, "" for none.
        options: what its user may choose.
        rounds: rounds where nothing is said.
        patience_s: a round that takes longer is stuck.
        wanted: targets, as sentences below the table.
        conclude: what follows from the values of all rounds by subject, in sentences.
    """

    name: str
    question: str
    units: Mapping[str, str]
    versions: Callable[[], dict[str, str | None]]
    against: str = ""
    options: tuple[Option, ...] = ()
    rounds: int = 7
    patience_s: float = 120.0
    wanted: tuple[str, ...] = field(default=())
    conclude: Callable[[Mapping[str, Sequence[Values]]], list[str]] = _nothing

    def defaults(self) -> Given:
        """Its options where nothing is said."""
        return {option.name: option.default for option in self.options}
