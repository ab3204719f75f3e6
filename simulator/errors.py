"""The errors a user can meet, split by who must act, each with its exit code.

A connection that fails is a *record with an outcome*, never an exception (records.py).
"""

from __future__ import annotations

from typing import Final

EXIT_OK: Final = 0
EXIT_INTERNAL: Final = 1
EXIT_USAGE: Final = 2
EXIT_REFUSED: Final = 3
EXIT_THRESHOLD: Final = 4
EXIT_NOT_VALID: Final = 5
EXIT_INCOMPLETE: Final = 6
EXIT_INTERRUPTED: Final = 130
EXIT_TERMINATED: Final = 143

#: When several codes apply, the first of this list that does is the one returned.
EXIT_PRECEDENCE: Final = (
    EXIT_INTERNAL,
    EXIT_INTERRUPTED,
    EXIT_TERMINATED,
    EXIT_INCOMPLETE,
    EXIT_NOT_VALID,
    EXIT_THRESHOLD,
    EXIT_REFUSED,
    EXIT_USAGE,
    EXIT_OK,
)


class PortchurnError(Exception):
    """Base of every error that is shown to the user as one message, without a traceback."""

    exit_code: int = EXIT_INTERNAL


class ScenarioError(PortchurnError):
    """The scenario file, or a flag that changes it, is wrong; its author must act.

    The message holds every error found, one block each, already rendered with
    ``file:line:column: path: what is wrong, and what would be right``.
    """

    exit_code = EXIT_USAGE


class UsageError(PortchurnError):
    """The command line asks for something that does not exist."""

    exit_code = EXIT_USAGE


class Refused(PortchurnError):
    """This machine cannot do what the scenario asks; the message holds the arithmetic."""

    exit_code = EXIT_REFUSED


class RunFailed(PortchurnError):
    """The run broke through no fault of the scenario; the message says how far it got."""

    exit_code = EXIT_INTERNAL


class ResultsIncomplete(PortchurnError):
    """Part of what was measured could not be kept (disk full, a worker lost)."""

    exit_code = EXIT_INCOMPLETE


class InternalError(PortchurnError):
    """A law of this project was broken, such as the accounting identity: our bug."""

    exit_code = EXIT_INTERNAL


def worst_exit_code(codes: list[int]) -> int:
    """Return the code that wins when several runs or several causes end in one command."""
    for code in EXIT_PRECEDENCE:
        if code in codes:
            return code
    return codes[0] if codes else EXIT_OK
