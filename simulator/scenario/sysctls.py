"""The kernel settings a scenario may change: namespaced ones only, each with its bounds.

A free prefix would be a hole: real root inside a private network namespace can still write
host-wide settings such as fs.nr_open, so everything outside this list is refused by name.
`port_range`, `reserved_ports` and `time_wait` have keys of their own in the scenario.
"""

from __future__ import annotations

from typing import Final

#: name -> (lowest, highest, what it does); all are per network namespace since Linux 4.x.
ALLOWED_SYSCTLS: Final[dict[str, tuple[int, int, str]]] = {
    "net.core.somaxconn": (1, 65535, "upper limit of a listener's accept queue"),
    "net.ipv4.ip_autobind_reuse": (0, 1, "bind(0) may share ports under SO_REUSEADDR"),
    "net.ipv4.ip_unprivileged_port_start": (0, 65535, "first port that needs no privilege"),
    "net.ipv4.tcp_abort_on_overflow": (0, 1, "reset instead of silence on a full accept queue"),
    "net.ipv4.tcp_fin_timeout": (1, 300, "seconds an orphan stays in FIN_WAIT2"),
    "net.ipv4.tcp_max_syn_backlog": (1, 65535, "half-open connections kept for a listener"),
    "net.ipv4.tcp_max_tw_buckets": (0, 1_000_000, "TIME_WAIT sockets kept; more are dropped"),
    "net.ipv4.tcp_orphan_retries": (0, 15, "retries before an orphan is dropped"),
    "net.ipv4.tcp_rfc1337": (0, 1, "a reset does not end TIME_WAIT"),
    "net.ipv4.tcp_syn_retries": (1, 15, "SYNs sent again before connect gives up"),
    "net.ipv4.tcp_synack_retries": (0, 15, "SYN-ACKs sent again"),
    "net.ipv4.tcp_syncookies": (0, 2, "SYN cookies"),
    "net.ipv4.tcp_timestamps": (0, 2, "timestamps; without them TIME_WAIT is never reused"),
}
