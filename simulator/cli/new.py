"""`portchurn new`: a commented scenario to start from."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import click

from simulator.errors import UsageError

#: Kept as text, since its comments are the point; a test loads it.
START: Final = """\
# A scenario asks one question. Check it with `portchurn validate`, see what it would need and hit
# with `portchurn explain`, and run it with `portchurn run`. All keys: docs/scenario.md
title: Short connections from one balancer to one backend
expect: >
  1,000 ports, each held for 500 ms of TIME_WAIT after its connection: 2,000 connections a second,
  then EADDRNOTAVAIL.
seed: 1                         # same seed, same plan, byte for byte

kernel:                         # the private network namespace; the host is not changed
  port_range: 50000-50999       # ports the kernel hands out to connect()
  time_wait: 500ms              # how long a closed connection keeps its tuple (60s: as delivered)

backends:                       # real servers, each listening on a port of its own
  count: 1
  ports: permanent              # kernel: bind to port 0; random: uniform in a range
  service_time: {exponential: 2ms}

balancer:                       # the relay between clients and backends
  policy: round-robin           # or random, least-connections, two-choices, {choices: 3}
  source: {ports: kernel}       # try late-bind, early-bind, socket-range, userspace
  close: client                 # who closes first, and so keeps the tuple: see docs/scenario.md

traffic:                        # phases, one after the other; open loop
  - name: calm
    for: 2s
    warmup: true                # left out of latencies and rates
    arrivals: {poisson: 500/s}
  - name: ramp
    for: 6s
    arrivals: {poisson: {from: 500/s, to: 4000/s}}
    lifetime: {exponential: 5ms}

thresholds:                     # one that fails gives exit code 4
  - "verdict == balancer-source-ports"
"""


@click.command(name="new")
@click.argument("file", type=click.Path(path_type=Path))
def command(file: Path) -> None:
    """Write a commented scenario to FILE, which must not exist yet."""
    from simulator.scenario.complaint import printable

    shown = printable(str(file))
    try:
        with file.open("x", encoding="utf-8") as target:
            target.write(START)
    except FileExistsError:
        raise UsageError(f"{shown} exists already; choose another name") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise UsageError(f"{shown} cannot be written: {reason}") from None
    click.echo(f"Wrote {shown}. Next: portchurn run {shown}")
