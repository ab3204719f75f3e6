"""The command line: one file a verb, loaded only when that verb is asked for.

`portchurn --help` must not pay for numpy, aiohttp or pydantic, so the group knows each verb's name
and one line about it, and imports `simulator.cli.<module>` on use. Each such module has one
`command`, a `click.Command`.
"""

from __future__ import annotations

import importlib
import os
import select
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import click

from simulator import __version__
from simulator.errors import EXIT_INTERRUPTED, PortchurnError

if TYPE_CHECKING:
    from collections.abc import Iterator

#: verb -> (module in this folder, one line for --help)
VERBS: Final[dict[str, tuple[str, str]]] = {
    "run": ("run", "Run a scenario on the real kernel and print the verdict."),
    "serve": ("serve", "Serve backends and balancer without traffic, for your own client."),
    "validate": ("validate", "Check scenario files; every error at once."),
    "compare": ("compare", "Hold stored runs against each other, or the model against the kernel."),
    "explain": ("explain", "Say what a run would create, need and hit, before anything runs."),
    "port": ("port", "Explain a port: what it is, who may use it, who holds it here."),
    "watch": ("watch", "Show the tuple budgets left on this host, live; only reads."),
    "predict": ("predict", "Say what a run will come to, from closed forms, at once."),
    "plan": ("plan", "Say what would reach a goal, such as 'failed < 0.01 %'."),
    "list": ("list_runs", "List stored runs, newest first."),
    "show": ("show", "Print the summary of a stored run."),
    "report": ("report", "Write the page of a stored run again, or print one of its charts."),
    "new": ("new", "Write a commented scenario to start from."),
    "schema": ("schema", "Print the JSON Schema of scenario files."),
    "doctor": ("doctor", "Say what this machine can do, and how to mend what it cannot."),
    "clean": ("clean", "Remove what dead runs left behind, and only that."),
    "bench": ("bench", "Measure portchurn beside its peers."),
    "arena": ("arena", "Let algorithms of port selection play the same connections."),
}


class _PipeBroken(Exception):
    """A broken pipe, carried past click, which ends without a word on any of them."""

    def __init__(self, error: BrokenPipeError) -> None:
        super().__init__(str(error))
        self.error = error


@contextmanager
def _past_click() -> Iterator[None]:
    try:
        yield
    except BrokenPipeError as error:
        raise _PipeBroken(error) from error


class LazyGroup(click.Group):
    """A group that imports a verb's module when it is used."""

    def make_context(self, *args: Any, **kwargs: Any) -> click.Context:  # noqa: ANN401 - passed on
        """Parse the command line; `--help` and `--version` write here."""
        with _past_click():
            return super().make_context(*args, **kwargs)

    def invoke(self, ctx: click.Context) -> object:
        """Run the verb."""
        with _past_click():
            result: object = super().invoke(ctx)
        return result

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The verbs, in the order people meet them."""
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import and return one verb's command."""
        if cmd_name not in VERBS:
            return None
        module = importlib.import_module(f"simulator.cli.{VERBS[cmd_name][0]}")
        command = module.command
        assert isinstance(command, click.Command)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Name the nearest verb when one is misspelt."""
        if args and args[0] not in VERBS and not args[0].startswith("-"):
            from difflib import get_close_matches

            near = get_close_matches(args[0], VERBS, 1)
            hint = f" Did you mean '{near[0]}'?" if near else f" Verbs: {', '.join(VERBS)}."
            raise click.UsageError(f"No such verb '{args[0]}'.{hint}", ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the verbs without importing them."""
        with formatter.section("Verbs"):
            formatter.write_dl([(verb, text) for verb, (_, text) in VERBS.items()])


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="portchurn")
def group() -> None:
    """A load-balancer laboratory for dynamic ports.

    Start with: portchurn run scenarios/port-wall.yaml
    """


def _reader_left() -> bool:
    """Whether whoever read our output has gone."""
    watch = select.poll()
    for stream in (sys.stdout, sys.stderr):
        watch.register(stream.fileno(), 0)  # only errors, which are always told
    return bool(watch.poll(0))


def main() -> None:
    """Entry point: every error of ours becomes one message and its documented exit code."""
    try:
        code = group.main(standalone_mode=False)
    except PortchurnError as error:
        click.echo(str(error), err=True)
        sys.exit(error.exit_code)
    except click.ClickException as error:
        error.show()
        sys.exit(2)
    except (click.Abort, KeyboardInterrupt):
        sys.exit(EXIT_INTERRUPTED)
    except _PipeBroken as broken:
        if not _reader_left():
            raise broken.error from None
        # What is still buffered must go somewhere, or the interpreter complains at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(EXIT_INTERRUPTED)
    sys.exit(code if isinstance(code, int) else 0)
