"""Proposals as people read them: what to change, what it comes to, and the lines that set it.

Addresses in the lines are those of documentation (RFC 5737): put in your own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from simulator.report.nat_proposal_text import nat_lines
from simulator.units import format_count

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from simulator.preflight.inverse import Change, Goal, Proposal

_NONE: Final = "no setting of its own"


def proposals_text(goal: Goal, found: Sequence[Proposal]) -> Iterator[str]:
    """Line by line, the cheapest first."""
    if not found:
        yield f"Nothing reaches '{goal.text}' alone, nor does the widest range with more addresses"
        yield "or destinations. Try several changes with --set and `portchurn predict`."
        return
    yield f"To reach '{goal.text}', cheapest first; each was checked by its own forecast:"
    for number, one in enumerate(found, 1):
        yield f"{number}. {' and '.join(_words(change) for change in one.changes)}"
        failed, asked = one.forecast.failed or 0.0, one.forecast.asked
        yield (
            f"   {format_count(failed)} of {format_count(asked)} connections fail; "
            f"{' '.join(f'--set {_quoted(text)}' for text in one.sets)}"
        )
        for change in one.changes:
            yield from (f"   {tool:8} {line}" for tool, line in config_lines(change))


def _words(change: Change) -> str:
    return f"{change.before} -> {change.after}"


def _quoted(text: str) -> str:
    return f"'{text}'" if any(sign in text for sign in " {}") else text


def config_lines(change: Change) -> list[tuple[str, str]]:
    """The lines that make a change on a real host: (sysctl, haproxy, nginx, envoy, or who must)."""
    lines = {
        "addresses": _addresses,
        "range": _range,
        "destinations": _destinations,
        "time_wait": _time_wait,
        "reuse": _reuse,
        "close": _close,
        "mode": _mode,
    }
    return nat_lines(change) if change.kind.startswith("nat-") else lines[change.kind](change)


def _addresses(change: Change) -> list[tuple[str, str]]:
    del change
    return [
        ("host", "ip address add 192.0.2.2/24 dev eth0  (one for each)"),
        ("haproxy", "server a1 198.51.100.1:80 source 192.0.2.1  (one server line for each)"),
        (
            "nginx",
            "split_clients $request_id $from { 50% 192.0.2.1; * 192.0.2.2; } proxy_bind $from;",
        ),
        (
            "envoy",
            (
                "upstream_bind_config: {source_address: {address: 192.0.2.1, port_value: 0}}  "
                "(one cluster for each, under weighted_clusters)"
            ),
        ),
    ]


def _range(change: Change) -> list[tuple[str, str]]:
    ports = change.after.removeprefix("ports ")
    first, _, last = ports.partition("-")
    return [
        ("sysctl", f'net.ipv4.ip_local_port_range = "{first} {last}"'),
        ("haproxy", f"server a1 198.51.100.1:80 source 192.0.2.1:{ports}"),
        ("nginx", "follows the sysctl"),
        ("envoy", "follows the sysctl"),
    ]


def _destinations(change: Change) -> list[tuple[str, str]]:
    del change
    return [
        ("haproxy", "server a2 198.51.100.1:81  (one server line for each listener)"),
        ("nginx", "server 198.51.100.1:81;  (one in upstream for each listener)"),
        ("envoy", "one more entry in lb_endpoints for each listener"),
    ]


def _time_wait(change: Change) -> list[tuple[str, str]]:
    delay = change.after.removeprefix("TIME_WAIT of ").removesuffix("ms").replace(",", "")
    return [
        ("sysctl", "net.ipv4.tcp_tw_reuse = 1  (1 s from then on; needs timestamps)"),
        ("sysctl", f"net.ipv4.tcp_tw_reuse_delay = {delay}  (Linux 6.14)"),
    ]


def _reuse(change: Change) -> list[tuple[str, str]]:
    each = change.after.partition(" ")[0].replace(",", "")
    return [
        ("haproxy", "http-reuse always"),
        (
            "nginx",
            (
                f"upstream: keepalive 64; keepalive_requests {each};  location: "
                'proxy_http_version 1.1; proxy_set_header Connection "";'
            ),
        ),
        ("envoy", f"common_http_protocol_options: {{max_requests_per_connection: {each}}} or more"),
    ]


def _close(change: Change) -> list[tuple[str, str]]:
    if change.after == "by reset":
        return [
            ("haproxy", "option nolinger  (in the backend)"),
            ("nginx", _NONE),
            ("envoy", _NONE),
        ]
    return [("backend", "answer with 'Connection: close' and close first")]


def _mode(change: Change) -> list[tuple[str, str]]:
    if change.after == "userspace":
        line = "server a1 198.51.100.1:80 source 192.0.2.1:1024-65535"
        return [("haproxy", line), ("nginx", _NONE), ("envoy", _NONE)]
    return [("socket", "set IP_BIND_ADDRESS_NO_PORT before bind(), or do not bind at all")]
