"""`portchurn serve`: backends and balancer of a scenario, for clients of somebody else's."""

from __future__ import annotations

import asyncio
import ipaddress
import json
import signal
from pathlib import Path  # noqa: TC003 - click reads the annotations

import click

from simulator.cli.compiling import compile_first
from simulator.cli.options import loop_option, overrides_option, scenario_argument, seed_option
from simulator.errors import UsageError


@click.command(name="serve")
@scenario_argument
@overrides_option
@seed_option
@click.option(
    "--host-network",
    is_flag=True,
    help="Put the front on the host's loopback, without a namespace; nothing is changed there.",
)
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=0,
    show_default=True,
    help="Port of the front with --host-network; 0: the kernel picks.",
)
@click.option(
    "--to",
    metavar="ADDRESS:PORT,...",
    help="Balance onto servers of this host's loopback that already run; means --host-network.",
)
@loop_option
def command(
    file: Path,
    overrides: tuple[str, ...],
    seed: int | None,
    host_network: bool,
    port: int,
    to: str | None,
    loop: str,
) -> None:
    """Serve a scenario's backends and balancer, without traffic, until Ctrl-C.

    Endpoints are printed as one line of JSON as soon as all of them serve: `front`, `backends`,
    `pids`, and `enter`, the command that starts a client in the private namespace, as in
    `$(jq -r '.enter|join(" ")') curl ...`. What the balancer counted is printed to stderr at
    the end. On the host's network the scenario's `kernel` settings are left alone.
    """
    from simulator.scenario.load import load_file

    scenario = load_file(file, overrides=overrides, seed=seed).scenario
    servers = parse_servers(to) if to is not None else ()
    if scenario.balancer.driver == "none":
        raise UsageError(f"{file} has no balancer (balancer.driver: none), so nothing to serve")
    from simulator.preflight.model_only import refuse_model_only

    refuse_model_only(scenario)
    if scenario.sidecar is not None:
        raise UsageError(
            f"{file} has a sidecar, which stands beside clients of our own; serve has none"
        )
    if scenario.balancer.driver != "own":
        driver = scenario.balancer.driver
        raise UsageError(f"serve is for our own balancer, but balancer.driver is {driver}")
    if port and not (host_network or servers):
        raise UsageError("--port is for --host-network; in a namespace the front is fixed")
    if 0 < port < 1024:
        raise UsageError("--port must be 0 or at least 1024; lower ones need rights it gives up")
    compile_first([scenario])
    from simulator.live.serving import Serving

    async def main() -> None:
        stop = asyncio.Event()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        async with Serving(
            scenario,
            host_network=host_network or bool(servers),
            port=port,
            to=servers,
            loop=loop,
        ) as serving:
            endpoints = await serving.start()
            click.echo(json.dumps(endpoints.to_json()))
            await serving.serve(stop)
        click.echo(json.dumps(serving.counters), err=True)

    asyncio.run(main())


def parse_servers(text: str) -> tuple[tuple[str, int], ...]:
    """Addresses and ports of ``127.0.0.1:9001,127.0.0.1:9002``.

    Raises:
        UsageError: one is no endpoint, or not of this host's loopback.
    """
    found = []
    for one in text.split(","):
        address, _, port = one.strip().rpartition(":")
        try:
            parsed = ipaddress.IPv4Address(address)
        except ValueError:
            raise UsageError(f"--to: {one!r} is not ADDRESS:PORT, such as 127.0.0.1:9001") from None
        if not port.isascii() or not port.isdigit() or not 1 <= int(port) <= 65535:
            raise UsageError(f"--to: {one!r} has no port from 1 to 65535")
        if not parsed.is_loopback:
            raise UsageError(
                f"--to: {address} is not of this host's loopback (127.0.0.0/8); "
                "a laboratory sends no load to other machines"
            )
        found.append((str(parsed), int(port)))
    return tuple(found)
