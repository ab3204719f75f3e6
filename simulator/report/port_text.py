"""What is known of a port, for a terminal: the first line answers, the rest says why."""

from __future__ import annotations

import textwrap
from typing import Any, Final

from simulator.ports.facts import service_of
from simulator.report.safe_text import DASH, safe
from simulator.units import format_count, format_ns, format_rate

_WIDTH: Final = 100
_LABEL: Final = 10
_NAME: Final = 33
#: Sockets told one by one before the rest is only counted.
_MOST_SOCKETS: Final = 12
_STATE_ORDER: Final = ("listen", "bound", "established")
_WHAT: Final = {
    "listen": "listens on it",
    "bound": "has it bound",
    "established": "has a connection from it",
}
_KIND: Final = {
    "system": "a System port",
    "user": "a User port",
    "dynamic": "a dynamic port",
}


def port_text(facts: dict[str, Any], here: dict[str, Any]) -> str:
    """One port in full.

    Args:
        facts: of `ports.facts.port_facts`, with ``use`` when a load was stated.
        here: what this machine says, as `cli.port` gathers it.
    """
    lines = [headline(facts, here), ""]
    region = facts["region"]
    lines += _row("region", f"{region['name']}, {region['ports']} (RFC 6335): {region['meaning']}")
    lines += _services(facts, here["registry"])
    lines += _systems(facts)
    lines += _pools(facts)
    lines += _use(facts.get("use"))
    lines += _here(facts["port"], here)
    lines += _elsewhere(facts["port"])
    return "\n".join(lines)


def ports_table(all_facts: list[dict[str, Any]], here: dict[str, Any]) -> str:
    """Several ports, one line each, and below them what may not be seen."""
    rows = [("port", "region", "service", "in the range of", "here")]
    sockets: dict[int, list[dict[str, Any]]] = {}
    for each in here["sockets"]:
        sockets.setdefault(each["sport"], []).append(each)
    for facts in all_facts:
        systems = ", ".join(system["name"] for system in facts["systems"]) or DASH
        rows.append(
            (
                str(facts["port"]),
                facts["region"]["name"],
                safe(service_of(facts), 28),
                systems if len(systems) <= 40 else f"{len(facts['systems'])} systems",
                _held(facts["port"], {"sockets": sockets.get(facts["port"], [])}),
            )
        )
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    table = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]
    return "\n".join([*table, *(f"({note})" for note in here["notes"])])


def headline(facts: dict[str, Any], here: dict[str, Any]) -> str:
    """The answer in one line."""
    port = facts["port"]
    if port == 0:
        return "0 names no port: in bind() it means 'choose one for me', and IANA holds it back."
    kind = _KIND[facts["region"]["name"]]
    name = service_of(facts)
    if name == "none":
        what = f"{kind}: nobody can register it, any program may have it for a while"
    elif name in ("unassigned", "reserved"):
        what = f"{kind}, {name}"
    else:
        what = f"{safe(name, 40)}, {kind}"
    return f"{port} is {what}. Here {_held(port, here)}."


def _held(port: int, here: dict[str, Any]) -> str:
    sockets = _sockets(port, here)
    if not sockets:
        return "it is free"
    first = sockets[0]
    if first["state"] == "time-wait":
        return f"{format_count(len(sockets))} closed connection(s) keep it in TIME_WAIT"
    some = "some process" if first["inode"] else "no process any more"
    who = " and ".join(_process(each) for each in first["processes"][:2]) or some
    what = _WHAT.get(first["state"], f"holds it ({first['state']})")
    more = f", and {format_count(len(sockets) - 1)} more socket(s)" if len(sockets) > 1 else ""
    return f"{who} {what} ({first['transport']}){more}"


def _sockets(port: int, here: dict[str, Any]) -> list[dict[str, Any]]:
    """The port's sockets, those first that keep others from listening."""

    def weight(each: dict[str, Any]) -> int:
        state: str = each["state"]
        known = _STATE_ORDER.index(state) if state in _STATE_ORDER else len(_STATE_ORDER)
        return known + (state == "time-wait")

    return sorted((each for each in here["sockets"] if each["sport"] == port), key=weight)


def _process(process: dict[str, Any]) -> str:
    return f"{safe(process['name'], 20)} (pid {process['pid']})"


def _row(label: str, text: str) -> list[str]:
    """A label and its text, wrapped so that the text stays one column."""
    return textwrap.wrap(
        text,
        _WIDTH,
        initial_indent=label.ljust(_LABEL),
        subsequent_indent=" " * _LABEL,
        break_on_hyphens=False,
        break_long_words=False,
    )


def _services(facts: dict[str, Any], registry: dict[str, str]) -> list[str]:
    as_of = f"IANA registry of {registry['taken']}"
    if not facts["registrations"]:
        why = (
            "no number from 49152 on is ever registered"
            if facts["region"]["name"] == "dynamic"
            else f"unassigned ({as_of})"
        )
        return _row("service", f"none: {why}")
    names: dict[tuple[str, str], list[str]] = {}  # several names may stand for one thing
    for row in facts["registrations"]:
        transports = ", ".join(row["transports"]) or "tcp, udp"
        names.setdefault((transports, row["description"]), []).append(row["service"] or DASH)
    lines: list[str] = []
    for (transports, description), services in names.items():
        text = f"{', '.join(services)} ({transports}): {description}"
        lines += _row("" if lines else "service", safe(text, 200))
    return [*lines, *_row("", f"({as_of})")]


def _named(label: str, name: str, text: str) -> list[str]:
    """A name in a column of its own, and its text wrapped beside it."""
    beside = textwrap.wrap(text, _WIDTH - _LABEL - _NAME, break_on_hyphens=False)
    heads = [label.ljust(_LABEL) + name.ljust(_NAME), *[" " * (_LABEL + _NAME)] * len(beside)]
    return [head + line for head, line in zip(heads, beside, strict=False)]


def _systems(facts: dict[str, Any]) -> list[str]:
    lines: list[str] = []
    for system in facts["systems"]:
        name = f"{system['name']} {system['ports']}"
        lines += _named("" if lines else "systems", name, system["pick"])
    return lines or _row("systems", "in no system's default range of ephemeral ports")


def _pools(facts: dict[str, Any]) -> list[str]:
    lines: list[str] = []
    for pool in facts["pools"]:
        text = pool["rule"]
        if pool["chance"] is not None:
            size = f"{format_count(pool['takes'])} {pool['transport'].upper()} ports"
            text = f"{size}, so with {_percent(pool['chance'])} this one; {text}"
        lines += _named("" if lines else "pools", f"{pool['name']} {pool['ports']}", text)
    return lines


def _percent(share: float) -> str:
    return f"{share * 100:.3g} %"


def _use(use: dict[str, Any] | None) -> list[str]:
    if use is None:
        return []
    held = f"{format_ns(use['time_wait_s'] * 1e9)} TIME_WAIT"
    if use["open_s"]:
        held = f"({format_ns(use['open_s'] * 1e9)} open + {held})"
    product = (
        f"{format_rate(use['rate_per_s'])} x {held} = {format_count(use['wanted'])} ports wanted "
        f"of {format_count(use['ports'])} ({use['range']})"
    )
    if not use["in_range"]:
        return _row("in use", f"0 %: outside {use['range']}, so no connect() takes it by itself")
    if use["wanted"] >= use["ports"]:
        wall = f"the wall stands at {format_rate(use['ceiling_per_s'])}"
        return _row("in use", f"100 % toward one destination: {product}; {wall}")
    text = f"{_percent(use['any_port'])} toward one destination: {product}"
    parity = f"(on Linux, which takes one parity first, {_percent(use['linux'])} for this one)"
    return [*_row("in use", text), *_row("", parity)]


def _here(port: int, here: dict[str, Any]) -> list[str]:
    lines: list[str] = []
    sockets = _sockets(port, here)
    for each in sockets[:_MOST_SOCKETS]:
        lines += _row("" if lines else "here", _socket(each))
    if len(sockets) > _MOST_SOCKETS:
        lines += _row("", f"and {format_count(len(sockets) - _MOST_SOCKETS)} more")
    if not sockets:
        lines += _row("here", "no socket on it: TCP and UDP, IPv4 and IPv6, any state")
    for note in [*here["range_notes"].get(port, []), *here["notes"]]:
        lines += _row("", f"({note})")
    return lines


def _socket(each: dict[str, Any]) -> str:
    address = f"[{each['source']}]" if each["version"] == 6 else each["source"]
    text = f"{each['transport']} {address}:{each['sport']} {each['state']}"
    if each["dport"]:
        peer = f"[{each['destination']}]" if each["version"] == 6 else each["destination"]
        text += f" to {peer}:{each['dport']}"
    if each["state"] == "time-wait":
        return f"{text}, {format_ns(each['timer_ms'] * 1e6)} to go; no process holds it"
    if not each["inode"]:
        return f"{text}; no process holds it: not accepted yet, or closed already"
    who = ", ".join(_process(process) for process in each["processes"])
    owner = safe(each["user"], 32)
    return f"{text}, {who or 'process not shown'}, user {owner}"


def _elsewhere(port: int) -> list[str]:
    return [
        "",
        "Ask a machine yourself:",
        f"  Linux    ss -tuanp 'sport = :{port}'",
        f"  macOS    lsof -nP -i :{port}  (as root), netstat -an | grep '[.]{port} '",
        f"  Windows  Get-NetTCPConnection -LocalPort {port}, netstat -ano | findstr :{port}",
    ]
