"""nginx's configuration as text, from a scenario's balancer; pure.

Only its stream module is used. Source: nginx documentation of ngx_stream_core_module,
ngx_stream_proxy_module, ngx_stream_upstream_module and ngx_stream_split_clients_module.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from simulator.live.driver_settings import DriverRole

#: Begins every line of ours in its log of failed sessions.
SESSION: Final = "session"
_OWN_DESCRIPTORS: Final = 64
_MOST_CONNECTIONS: Final = 65_536
#: Stands alone where no backend is there: an upstream without a server is an error.
_NOBODY: Final = "server 127.4.255.254:1 down;"

_BALANCE: Final = {
    "least-connections": "least_conn;",
    "weighted-least-connections": "least_conn;",
    "random": "random;",
    "two-choices": "random two least_conn;",
}
_KEYS: Final = {"address": "$remote_addr", "connection": "$remote_addr:$remote_port"}


def configuration(
    role: DriverRole,
    endpoints: Mapping[int, tuple[str, int]],
    *,
    pid: str,
    failures: str,
    sessions: str,
    descriptors: int,
    is_root: bool = False,
) -> str:
    """The text of its configuration file.

    Args:
        role: the scenario's balancer.
        endpoints: backend -> address and port of those that listen.
        pid: path of its pid file.
        failures: path to which each failed session is written at once.
        sessions: path to which every session is written, a few kilobytes at a time.
        descriptors: limit of a process.
        is_root: whether it runs as uid 0 (of a user namespace), and may not become somebody else.
    """
    connections = max(16, min(_MOST_CONNECTIONS, descriptors - _OWN_DESCRIPTORS))
    head = [
        *([f"load_module {role.module};"] if role.module else []),
        *(["user root;"] if is_root else []),
        "daemon off;",
        f"worker_processes {role.workers};",
        f"pid {pid};",
        "error_log stderr notice;",
        f"events {{ worker_connections {connections}; }}",
    ]
    logs = [
        (
            f"log_format failed '{SESSION} $connection $remote_addr $remote_port $status "
            "$session_time';"
        ),
        "log_format ended '$upstream_addr $bytes_received $bytes_sent';",
        "map $status $is_failed { 200 0; default 1; }",
        f"access_log {failures} failed if=$is_failed;",
        # Short enough for one write to a pipe to stay whole.
        f"access_log {sessions} ended buffer=4k flush=100ms;",
    ]
    if role.template:
        return _filled(role, endpoints, head[:-1], logs)
    parts = [*logs, *_source(role), *_upstream(role, endpoints), *_server(role)]
    body = ["stream {", *(f"    {line}" for line in parts), "}", ""]
    return "\n".join([*head, *body])


def _filled(
    role: DriverRole, endpoints: Mapping[int, tuple[str, int]], main: list[str], logs: list[str]
) -> str:
    """The user's own text with its placeholders filled in."""
    address, port = role.front
    values = {
        "@MAIN@": "\n".join(main),
        "@LOGS@": "\n    ".join(logs),
        "@FRONT@": f"{address}:{port}",
        "@SERVERS@": "\n        ".join(_servers(role, endpoints)),
    }
    text = role.template
    for name, value in values.items():
        text = text.replace(name, value)
    return text


def _source(role: DriverRole) -> Iterator[str]:
    """Several source addresses are drawn by a hash of the connection's number."""
    if len(role.sources) < 2:
        return
    yield 'split_clients "$connection" $source {'
    for address in role.sources[:-1]:
        yield f"    {100 / len(role.sources):.2f}% {address};"
    yield f"    * {role.sources[-1]};"
    yield "}"


def _upstream(role: DriverRole, endpoints: Mapping[int, tuple[str, int]]) -> Iterator[str]:
    yield "upstream backends {"
    if role.policy in ("source-hash", "ring-hash"):
        consistent = " consistent" * (role.policy == "ring-hash")
        yield f'    hash "{_KEYS[role.key]}"{consistent};'
    elif role.policy in _BALANCE:
        yield f"    {_BALANCE[role.policy]}"
    yield from (f"    {line}" for line in _servers(role, endpoints))
    yield "}"


def _servers(role: DriverRole, endpoints: Mapping[int, tuple[str, int]]) -> Iterator[str]:
    for backend, (address, port) in sorted(endpoints.items()):
        weight = f" weight={role.weights[backend % len(role.weights)]}" if role.weights else ""
        yield f"server {address}:{port}{weight} max_fails=0;"
    if not endpoints:
        yield _NOBODY


def _server(role: DriverRole) -> Iterator[str]:
    address, port = role.front
    yield "server {"
    yield f"    listen {address}:{port} backlog={role.backlog};"
    yield "    proxy_pass backends;"
    if role.sources:
        yield f"    proxy_bind {'$source' if len(role.sources) > 1 else role.sources[0]};"
    yield f"    proxy_connect_timeout {role.connect_timeout_ms}ms;"
    yield f"    proxy_timeout {role.idle_timeout_ms}ms;"
    yield f"    proxy_half_close {'on' if role.half_close else 'off'};"
    yield f"    proxy_buffer_size {role.buffer_bytes};"
    yield f"    proxy_next_upstream {'on' if role.retries else 'off'};"
    yield f"    proxy_next_upstream_tries {role.retries + 1};"
    yield "}"
