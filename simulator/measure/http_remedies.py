"""What to do about answers that are failures by their own word, or no HTTP at all."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from simulator.scenario.backends import Backends


def http_remedy(error: str, backends: Backends) -> str:
    """What would mend it.

    Args:
        error: ``HTTP_503`` and the like, or ``HTTP_PROTOCOL``.
        backends: those who gave the answers.
    """
    if error == "HTTP_PROTOCOL":
        return (
            "look at what the backends sent: it was no HTTP/1.1, or not as long as was asked for, "
            "and the balancer does not change a byte"
        )
    status = error.removeprefix("HTTP_")
    if status == "503" and backends.queue is not None:
        return (
            f"let backends serve more at a time, or more wait (backends.concurrency: "
            f"{backends.concurrency}, backends.queue: {backends.queue}), or run more of them: "
            f"they turned requests away"
        )
    if status == "500" and backends.faults.error_rate:
        share = 100 * backends.faults.error_rate
        return f"set backends.faults.error_rate lower: it makes {share:g} % of answers a 500"
    return f"look at the backends: they answered with status {status}; the balancer makes none"
