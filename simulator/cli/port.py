"""`portchurn port`: what a port is, who may hand it out, and who holds it here."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from simulator.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from simulator.kernel.holders import Holders
    from simulator.kernel.host_ports import HostPorts
    from simulator.kernel.port_sockets import PortSockets


@click.command(name="port", context_settings={"ignore_unknown_options": True})
@click.argument("ports", metavar="PORT")
@click.option("--load", metavar="RATE", help="Connections toward one destination, such as 500/s.")
@click.option("--time-wait", default="60s", show_default=True, help="How long a tuple rests.")
@click.option("--lifetime", default="0s", show_default=True, help="How long connections live.")
@click.option("--range", "range_text", metavar="A-B", help="Ports of the load [this host's].")
@click.option("--output", type=click.Choice(["text", "json"]), default="text", help="Output form.")
@click.option("--json", "as_json", is_flag=True, help="The same as --output json.")
def command(
    *,
    ports: str,
    load: str | None,
    time_wait: str,
    lifetime: str,
    range_text: str | None,
    output: str,
    as_json: bool,
) -> None:
    """Explain a port, a range (49152-49160), a list (80,443,8080) or a service (https).

    Region and registration, the systems and pools that may use it, how likely a load has it in
    use, which process holds it here, and how to ask other systems the same.
    """
    from simulator.kernel.host_ports import read_host_ports
    from simulator.ports.facts import port_facts
    from simulator.ports.number_list import parse_ports
    from simulator.ports.registry import registry
    from simulator.report.port_text import port_text, ports_table

    if ports.startswith("--"):
        raise click.NoSuchOption(ports)
    known = registry()
    try:
        numbers = parse_ports(ports, known)
    except ValueError as error:
        raise UsageError(f"{error}.") from error
    host = read_host_ports()
    facts = [port_facts(number, known) for number in numbers]
    if load is not None:
        for each in facts:
            each["use"] = _use(
                each["port"], load, time_wait, lifetime, range_text or str(host.ports)
            )
    here = _here(numbers, host) | {"registry": {"taken": known.taken, "newest": known.newest}}
    if as_json or output == "json":
        click.echo(json.dumps({"ports": facts, "here": here}, indent=1))
    elif len(facts) == 1:
        click.echo(port_text(facts[0], here))
    else:
        click.echo(ports_table(facts, here))


def _use(port: int, load: str, time_wait: str, lifetime: str, range_text: str) -> dict[str, Any]:
    """How likely the port is in use under the load; see `theory.port_use`."""
    from simulator.ports.range import parse_port_range
    from simulator.theory.port_use import port_use
    from simulator.units import NS_PER_S, parse_rate_per_s, parse_time_ns

    given = {"--load": load, "--time-wait": time_wait, "--lifetime": lifetime}
    readers = (parse_rate_per_s, parse_time_ns, parse_time_ns)
    values: list[float] = []
    for (option, text), read in zip(given.items(), readers, strict=True):
        try:
            values.append(read(text))
        except ValueError as error:
            raise UsageError(f"{option} {text} {error}.") from error
    try:
        ports = parse_port_range(range_text)
    except ValueError as error:
        raise UsageError(f"--range {range_text} {error}.") from error
    rate_per_s, blocked_s, open_s = values[0], values[1] / NS_PER_S, values[2] / NS_PER_S
    use = port_use(ports=len(ports), rate_per_s=rate_per_s, open_s=open_s, blocked_s=blocked_s)
    inside = port in ports
    first = (port - ports.first) % 2 == 0
    return {
        "rate_per_s": rate_per_s,
        "open_s": open_s,
        "time_wait_s": blocked_s,
        "range": str(ports),
        "ports": use.ports,
        "wanted": use.wanted,
        "in_range": inside,
        "any_port": use.any_port if inside else 0.0,
        "linux": (use.first_parity if first else use.other_parity) if inside else 0.0,
        # JSON has no infinity: None where no rate can use the range up.
        "ceiling_per_s": use.ceiling_per_s if use.wanted else None,
    }


def _here(numbers: Sequence[int], host: HostPorts) -> dict[str, Any]:
    """The sockets on these ports here, and what may not be seen."""
    from dataclasses import asdict

    from simulator.kernel.holders import find_holders
    from simulator.kernel.port_sockets import sockets_on

    lots = [sockets_on(first, last) for first, last in _runs(numbers)]
    found = [each for lot in lots for each in lot.sockets]
    holders = find_holders(frozenset(each.inode for each in found))
    return {
        "sockets": [
            asdict(each)
            | {
                "user": None if each.state == "time-wait" else _user(each.uid),
                "processes": [asdict(held) for held in holders.by_inode.get(each.inode, ())],
            }
            for each in found
        ],
        "local_range": str(host.ports),
        "range_notes": _range_notes(numbers, host),
        "notes": _notes(lots, holders),
    }


def _runs(numbers: Sequence[int]) -> list[tuple[int, int]]:
    """Neighbours joined, so that one look serves them all; 0 is no port."""
    runs: list[tuple[int, int]] = []
    for number in sorted(set(numbers) - {0}):
        if runs and number == runs[-1][1] + 1:
            runs[-1] = (runs[-1][0], number)
        else:
            runs.append((number, number))
    return runs


def _user(uid: int) -> str:
    import pwd

    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def _range_notes(numbers: Sequence[int], host: HostPorts) -> dict[int, list[str]]:
    """Whether connect() on this host may take each port by itself."""
    notes = {}
    for number in numbers:
        if any(number in block for block in host.reserved):
            notes[number] = ["reserved here: connect() and bind(0) pass over it"]
        elif number in host.ports:
            notes[number] = [f"this host hands it out: ip_local_port_range is {host.ports}"]
    return notes


def _notes(lots: Sequence[PortSockets], holders: Holders) -> list[str]:
    """What may not be seen, so that *free* is never said of what was not looked at."""
    notes = []
    unseen = sorted({table for lot in lots for table in lot.unseen})
    if unseen:
        notes.append(f"this kernel does not show {', '.join(unseen)}")
    if not all(lot.complete for lot in lots):
        notes.append("the table changed while it was read; ask again")
    if holders.hidden:
        notes.append(f"{holders.hidden} processes of other users may not be looked into; root may")
    if holders.other_namespaces:
        notes.append(
            f"at least {holders.other_namespaces} other network namespace(s) on this host, such as "
            "containers, have ports of their own"
        )
    elif holders.unplaced:
        notes.append(
            "other network namespaces, such as containers, would have ports of their own; whether "
            "there are any, root may see"
        )
    return notes
