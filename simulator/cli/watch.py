"""`portchurn watch`: the tuple budgets left on a live host, by destination, without any load."""

from __future__ import annotations

import asyncio
import ipaddress
import json
import signal
from math import inf
from typing import TYPE_CHECKING, Any

import click

from simulator.errors import Refused, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from simulator.kernel.tuple_watch import TupleWatch
    from simulator.live.metrics_server import MetricsServer
    from simulator.ports.watched import Look

    Show = Callable[[Look], None]


@click.command(name="watch")
@click.option("--once", is_flag=True, help="Two looks, one interval apart; tell the second.")
@click.option("--every", default="1s", show_default=True, help="Time between looks.")
@click.option("--for", "for_text", metavar="TIME", help="End after this time [at Ctrl-C].")
@click.option("--top", type=click.IntRange(1, 1000), default=10, help="Destinations told [10].")
@click.option("--prometheus", metavar="ADDRESS:PORT", help="Serve metrics on loopback too.")
@click.option("--output", type=click.Choice(["text", "json"]), default="text", help="Output form.")
def command(
    *,
    once: bool,
    every: str,
    for_text: str | None,
    top: int,
    prometheus: str | None,
    output: str,
) -> None:
    """Show how much of each destination's tuple budget is in use on this host, and how fast.

    Only reads: the socket table and port settings of the network namespace it runs in. Nothing is
    opened, changed or sent; --prometheus listens on 127.0.0.0/8 or ::1 only.
    """
    every_s = _seconds("--every", every)
    for_s = inf if for_text is None else _seconds("--for", for_text)
    if every_s < 0.1:
        raise UsageError("--every is shorter than 100ms, at which looks would be the load")
    endpoint = None if prometheus is None else parse_endpoint(prometheus)
    from simulator.kernel.tuple_watch import TupleWatch

    asyncio.run(
        _watch(
            TupleWatch(top=top),
            every_s=every_s,
            for_s=every_s if once else for_s,
            endpoint=endpoint,
            # The first look has no rates yet; who asks once wants one answer, with them.
            skip_first=once,
            output=output,
        )
    )


def _seconds(option: str, text: str) -> float:
    from simulator.units import NS_PER_S, parse_time_ns

    try:
        return parse_time_ns(text) / NS_PER_S
    except ValueError as error:
        raise UsageError(f"{option} {text} {error}.") from error


def parse_endpoint(text: str) -> tuple[str, int]:
    """Address and port of ``127.0.0.1:9100`` or ``[::1]:9100``.

    Raises:
        UsageError: it is no endpoint, or not of this host's loopback.
    """
    address, _, port = text.rpartition(":")
    try:
        parsed = ipaddress.ip_address(address.removeprefix("[").removesuffix("]"))
    except ValueError:
        raise UsageError(
            f"--prometheus: {text!r} is not ADDRESS:PORT, such as 127.0.0.1:9100"
        ) from None
    if not (port.isascii() and port.isdigit() and len(port) < 6 and int(port) <= 65535):
        raise UsageError(f"--prometheus: {text!r} has no port of 0-65535")
    if not parsed.is_loopback:
        raise UsageError(
            f"--prometheus: {parsed} is not of this host's loopback; the metrics name every peer, "
            "so a proxy with access control should stand before them"
        )
    return str(parsed), int(port)


async def _watch(
    watch: TupleWatch,
    *,
    every_s: float,
    for_s: float,
    endpoint: tuple[str, int] | None,
    skip_first: bool,
    output: str,
) -> None:
    """Look until the time is over or somebody stops us."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, stop.set)
    newest: list[Look] = []
    server = None if endpoint is None else await _serve(endpoint, newest)
    display = _Display(output)
    try:
        started = loop.time()
        due = started
        while not stop.is_set():
            newest[:] = [_look(watch)]
            if not (skip_first and due == started):
                display.show(newest[0])
            due += every_s
            if due > started + for_s + every_s / 2:
                break
            # A look that took too long is not made up for: the next one is simply later.
            due = max(due, loop.time())
            try:
                async with asyncio.timeout_at(due):
                    await stop.wait()
            except TimeoutError:
                pass
    finally:
        display.close()
        if server is not None:
            await server.close()


def _look(watch: TupleWatch) -> Look:
    try:
        return watch.look()
    except OSError as error:
        raise Refused(f"The kernel does not show its sockets: {error.strerror}.") from error


async def _serve(endpoint: tuple[str, int], newest: list[Look]) -> MetricsServer:
    """Serve the newest look; says on stderr where."""
    from simulator.live.metrics_server import MetricsServer
    from simulator.report.prometheus_text import CONTENT_TYPE, metrics

    server = MetricsServer(lambda: metrics(newest[0]) if newest else None, CONTENT_TYPE)
    click.echo(f"metrics at {await server.start(*endpoint)}", err=True)
    return server


class _Display:
    """Looks on stdout: a picture that is redrawn on a terminal, else lines or JSON."""

    def __init__(self, output: str) -> None:
        from rich.console import Console
        from rich.live import Live

        self._output = output
        self._console = Console(highlight=False)
        self._live: Live | None = None
        if output == "text" and self._console.is_terminal and not self._console.is_dumb_terminal:
            self._live = Live(console=self._console, auto_refresh=False)
            self._live.start()
        self._told = False

    def show(self, look: Look) -> None:
        """Show a look."""
        from simulator.report.watch_text import picture, plain_lines, settings_line

        if self._output == "json":
            click.echo(json.dumps(look_json(look)))
        elif self._live is not None:
            self._live.update(picture(look, self._console.width), refresh=True)
        else:
            lines = plain_lines(look)
            click.echo("\n".join(lines if self._told else [settings_line(look), *lines]))
            self._told = True

    def close(self) -> None:
        """Give the terminal back, with the last picture on it."""
        if self._live is not None:
            self._live.stop()


def look_json(look: Look) -> dict[str, Any]:
    """A look for programs, one object a line; a wall that will not be reached is null."""
    from dataclasses import asdict

    told = asdict(look)
    for each in told["busiest"]:
        each["wall_s"] = None if each["wall_s"] == inf else each["wall_s"]
    return told
