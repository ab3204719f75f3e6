"""A summary with every field filled in, for tests of what is shown."""

from __future__ import annotations

import copy
from typing import Any

LATENCY = {
    "count": 5_877,
    "p50": 412_000,
    "p90": 890_000,
    "p99": 4_100_000,
    "p999": None,
    "max": 61_000_000,
}


def bucket(index: int, calls: int, **told: int) -> dict[str, Any]:
    """One row of connect() against occupancy."""
    row = {"from": index / 20, "to": (index + 1) / 20, "n": calls, "failures": 0}
    return {**row, "p50": None, "p90": None, "p99": None, "max": None, **told}


SUMMARY: dict[str, Any] = {
    "schema": "portchurn.summary/1",
    "engine": "kernel",
    "seed": 7,
    "variant": "",
    "verdict": {
        "code": "balancer-source-ports",
        "hop": "balancer-backend",
        "sentence": "The balancer ran out of source ports toward 127.4.0.1:40123 after 1.9 s: "
        "all 2,000 tuples were in use, 41.2 % of connections failed (EADDRNOTAVAIL).",
        "remedies": [
            "Use 2 source addresses: ceiling 4,000/s -> 8,000/s.",
            "Let the backend close first: TIME_WAIT no longer holds the balancer's ports.",
        ],
    },
    "valid": True,
    "doubts": [
        {
            "code": "start-up-transient",
            "message": "the run is shorter than two TIME_WAITs",
            "remedy": "run for 2 s or longer",
            "invalid": False,
        }
    ],
    "attempts": {
        "planned": 10_000,
        "sent": 9_999,
        "ok": 5_877,
        "failed": 4_120,
        "open_at_end": 2,
        "not_sent": {"stopped": 1},
        "errors": {
            "balancer-backend/connect/EADDRNOTAVAIL": 4_100,
            "client-balancer/recv/EOF": 20,
        },
    },
    "rates_per_s": {"asked": 4_000.0, "sent": 3_999.6, "ok": 2_350.8},
    "latency_ns": {name: dict(LATENCY) for name in ("connect", "response", "service", "lag")},
    "hops": [
        {
            "name": "client-balancer",
            "sources": 16,
            "destinations": 1,
            "budget": 16_384,
            "in_use_peak": 250,
            "established_peak": 80,
            "time_wait_peak": 0,
            "distinct_ports": 8_000,
            "exhausted_at_s": None,
        },
        {
            "name": "balancer-backend",
            "sources": 1,
            "destinations": 1,
            "budget": 2_000,
            "in_use_peak": 2_000,
            "established_peak": 38,
            "time_wait_peak": 1_962,
            "distinct_ports": 2_000,
            "exhausted_at_s": 1.9,
        },
    ],
    "connections": {"peak_concurrent": 118, "opened": 9_999, "closed": 9_997},
    "cpu": {
        "balancer_us_per_connection": 104.2,
        "client_us_per_connection": 61.0,
        "backend_us_per_connection": 40.0,
        "sampler_share": 0.012,
        "client_busiest_share": 0.41,
        "balancer_busiest_share": 0.62,
        "backend_busiest_share": None,
    },
    "memory": {"balancer_bytes_per_connection": 1_200, "kernel_bytes_per_connection": None},
    "thresholds": [
        {"text": "connect.p99 < 5ms", "value": 4_100_000, "holds": True},
        {"text": "failed == 0", "value": 4_120, "holds": False},
    ],
    "connect_cost": {
        "client-balancer": {
            "hop": "client-balancer",
            "method": "samples",
            "buckets": [bucket(0, 700)],
        },
        "balancer-backend": {
            "hop": "balancer-backend",
            "method": "samples",
            "buckets": [
                bucket(0, 700, p50=17_500),
                bucket(1, 0),
                bucket(19, 900, p50=162_000, p99=410_000, max=1_500_000, failures=880),
            ],
        },
    },
    "phases": [
        {"name": "warm", "warmup": True, "start_s": 0.0, "end_s": 2.0, "rates_per_s": {}},
        {
            "name": "ramp",
            "warmup": False,
            "start_s": 2.0,
            "end_s": 12.0,
            "rates_per_s": {"asked": 4_000.0},
        },
    ],
    "scenario": {"name": "port-wall", "title": "Port wall", "expect": ""},
    "sysctls": {
        "net.ipv4.tcp_tw_reuse": "1",
        "net.ipv4.tcp_tw_reuse_delay": "500",
        "net.ipv4.ip_local_port_range": "49152 51151",
    },
    "notes": ["Everything ran over loopback on one machine."],
    "environment": {"kernel": "6.18.0", "path": "loopback"},
}


def summary(**changes: Any) -> dict[str, Any]:  # noqa: ANN401 - any JSON value
    """A copy with some top-level fields changed."""
    return {**copy.deepcopy(SUMMARY), **changes}
