"""HAProxy's configuration as text, from a scenario's balancer; pure.

A backend with several source addresses has one server line for each of them, since HAProxy binds
one address a server. Source: HAProxy 2.6 configuration manual, sections 3, 4.2 and 5.2.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from simulator.live.driver_settings import DriverRole

#: Name of the one proxy that the backends' servers belong to.
BACKEND: Final = "backends"
#: Begins every line of ours in its log; what else it logs is told apart by it.
SESSION: Final = "session"
_LOG_FORMAT: Final = f"{SESSION} %ci %cp %s %ts %rc %Tt %[bc_err]"
#: Descriptors beside connections: listeners, pipes, timers, and one check for each server.
_OWN_DESCRIPTORS: Final = 200
#: More than this many descriptors would only cost memory.
_MOST_DESCRIPTORS: Final = 262_144
#: Where a server stands that has no port yet; it is disabled.
_NOWHERE: Final = ("127.4.255.254", 1)

_BALANCE: Final = {
    "round-robin": "roundrobin",
    "weighted-round-robin": "roundrobin",
    "least-connections": "leastconn",
    "weighted-least-connections": "leastconn",
    "random": "random(1)",
    "two-choices": "random(2)",
    "source-hash": "source",
    "ring-hash": "source",
    "bounded-hash": "source",
}


def server_name(backend: int, source: int) -> str:
    """Name of the server line of a backend with the source address of that index."""
    return f"b{backend}s{source}"


def backend_of(server: str) -> int:
    """The backend of a server's name; -1 when it is none of ours."""
    number, found, source = server.removeprefix("b").partition("s")
    is_ours = found and server.startswith("b") and number.isdigit() and source.isdigit()
    return int(number) if is_ours else -1


def servers_of(role: DriverRole) -> Iterator[tuple[str, int, str]]:
    """Name, backend and source address of each server line, backends in turn."""
    for at, source in enumerate(role.sources or ("",)):
        for backend in range(role.backends):
            yield server_name(backend, at), backend, source


def most_connections(role: DriverRole, descriptors: int) -> int:
    """How many connections it may take at once, given a process's limit; each needs two."""
    servers = role.backends * max(1, len(role.sources))
    return max(1, (min(descriptors, _MOST_DESCRIPTORS) - _OWN_DESCRIPTORS - 2 * servers) // 2)


def configuration(
    role: DriverRole,
    endpoints: Mapping[int, tuple[str, int]],
    *,
    front: int,
    stats: int,
    log: int,
    descriptors: int,
) -> str:
    """The text of its configuration file.

    Args:
        role: the scenario's balancer.
        endpoints: backend -> address and port of those that listen; others are disabled.
        front: descriptor of the listener that it inherits.
        stats: descriptor of the listener for its runtime API.
        log: descriptor that it writes failed sessions to.
        descriptors: limit of a process.
    """
    if role.template:
        return _filled(role, endpoints, front=front, stats=stats, log=log)
    return "\n".join(
        [
            "global",
            f"    nbthread {role.workers}",
            f"    maxconn {most_connections(role, descriptors)}",
            f"    tune.bufsize {role.buffer_bytes}",
            f"    stats socket fd@{stats} level admin",
            f"    log fd@{log} format raw local0",
            "",
            *_defaults(role),
            "",
            "frontend front",
            f"    bind fd@{front}",
            f"    backlog {role.backlog}",
            f"    default_backend {BACKEND}",
            "",
            f"backend {BACKEND}",
            *(f"    {line}" for line in _backend(role)),
            *(f"    {line}" for line in server_lines(role, endpoints)),
            "",
        ]
    )


def _filled(
    role: DriverRole, endpoints: Mapping[int, tuple[str, int]], *, front: int, stats: int, log: int
) -> str:
    """The user's own text with its placeholders filled in."""
    values = {
        "@FRONT@": f"fd@{front}",
        "@STATS@": f"stats socket fd@{stats} level admin",
        "@LOG@": f"log fd@{log} format raw local0",
        "@LOG_FORMAT@": f'log-format "{_LOG_FORMAT}"',
        "@SERVERS@": "\n    ".join(server_lines(role, endpoints)),
    }
    text = role.template
    for name, value in values.items():
        text = text.replace(name, value)
    return text


def _defaults(role: DriverRole) -> Iterator[str]:
    yield "defaults"
    yield "    mode tcp"
    yield "    log global"
    yield "    option dontlog-normal"
    yield f'    log-format "{_LOG_FORMAT}"'
    yield f"    timeout connect {role.connect_timeout_ms}ms"
    yield f"    timeout client {role.idle_timeout_ms}ms"
    yield f"    timeout server {role.idle_timeout_ms}ms"
    if role.check_every_ms:
        yield f"    timeout check {role.check_timeout_ms}ms"
    yield f"    retries {role.retries}"
    yield "    option redispatch 1"


def _backend(role: DriverRole) -> Iterator[str]:
    balance = _BALANCE.get(role.policy, f"random({role.choices})")
    yield f"balance {balance}"
    if role.policy in ("ring-hash", "bounded-hash"):
        yield "hash-type consistent"
    if role.policy == "bounded-hash":
        yield f"hash-balance-factor {round(100 * role.bound)}"
    if role.close == "reset":
        yield "option nolinger"


def server_lines(role: DriverRole, endpoints: Mapping[int, tuple[str, int]]) -> Iterator[str]:
    """One line for each backend and source address."""
    ports = f":{role.first}-{role.last}" if role.first else ""
    for name, backend, source in servers_of(role):
        address, port = endpoints.get(backend, _NOWHERE)
        words = [f"server {name} {address}:{port}"]
        if source:
            words.append(f"source {source}{ports}")
        if role.weights:
            words.append(f"weight {role.weights[backend % len(role.weights)]}")
        if role.slow_start_ms:
            words.append(f"slowstart {role.slow_start_ms}ms")
        if role.check_every_ms:
            words.append(
                f"check inter {role.check_every_ms}ms fall {role.check_fall} rise {role.check_rise}"
            )
        if backend not in endpoints:
            words.append("disabled")
        yield " ".join(words)


def change_commands(
    role: DriverRole, insert: Mapping[int, tuple[str, int]], remove: list[int]
) -> list[str]:
    """Commands of its runtime API for backends that came and went."""
    found = []
    sources = range(max(1, len(role.sources)))
    for backend in remove:
        found += [f"set server {BACKEND}/{server_name(backend, at)} state maint" for at in sources]
    for backend, (address, port) in insert.items():
        for at in sources:
            server = f"set server {BACKEND}/{server_name(backend, at)}"
            found += [f"{server} addr {address} port {port}", f"{server} state ready"]
    return found
