"""`portchurn bench connect`: what connect() costs while a range fills toward one destination.

The kernel that chooses a port tries one after the other until one is free, and looks at those of
one parity first: up to half of the range it is quick, and then each attempt walks the whole first
half before it comes to a free one. Who keeps a list of free ports and names one walks nothing.

One address, one destination, one range. Connections are held until so many percent of the range
are in use; then a thousand are opened and reset, one after the other, and the middle one's time is
taken: setsockopt, bind and connect together, handshake included. Nobody accepts: the listener's
queue holds them, so that no other process disturbs the time.
"""

from __future__ import annotations

import gc
import resource
import statistics
from time import perf_counter_ns
from typing import TYPE_CHECKING, Final

from simulator import __version__
from simulator.bench.processes import write_setting
from simulator.bench.spec import Bench, Given, Option, Values
from simulator.kernel.namespace import enter_namespaces
from simulator.kernel.sockets import open_listener
from simulator.live.dialer import FAILED
from simulator.live.port_modes import Mode, new_dialer
from simulator.ports.range import PortRange
from simulator.seeds import pure_random

if TYPE_CHECKING:
    from simulator.live.dialer import Dialer

PERCENT: Final = (1, 50, 90, 99)
USERSPACE: Final = "userspace"
KERNEL: Final = "kernel"
#: Subject -> mode of the source ports.
_MODES: Final[dict[str, Mode]] = {
    USERSPACE: "userspace",
    KERNEL: "late-bind",
    "socket-range": "socket-range",
}
_SOURCE: Final = "127.1.0.1"
_DESTINATION: Final = "127.3.0.1"
_LAST: Final = 65_535
_OWN_DESCRIPTORS: Final = 200

BENCH: Final = Bench(
    name="connect",
    question="What does connect() cost while a range fills?",
    units={
        **{f"connect-{percent}": "us" for percent in PERCENT},
        **{f"dial-{percent}": "us" for percent in PERCENT},
        "times-at-99": "x of 1 %",
        "ports": "ports",
        "errors": "connections",
    },
    versions=lambda: dict.fromkeys(_MODES, __version__),
    against=KERNEL,
    options=(
        Option(name="ports", default=16_384, least=200, most=60_000, text="Ports of the range."),
        Option(
            name="connects", default=1_000, least=20, most=100_000, text="Connects at each step."
        ),
    ),
    wanted=("userspace ports: times-at-99 at most 1.2",),
)


def measure(subject: str, options: Given) -> Values:
    """One round: fill the range step by step, and time connects at each step.

    Raises:
        KeyError: there is no such subject.
    """
    mode = _MODES[subject]
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    ports = min(int(options["ports"]), limit - _OWN_DESCRIPTORS)
    first = _LAST + 1 - ports
    _prepare(first)
    listener = open_listener(_DESTINATION, 20_000, backlog=200_000)
    dialer = new_dialer(
        mode,
        (_SOURCE,),
        PortRange(first, _LAST),
        generator=pure_random(1, "bench", "connect"),
    )
    target = dialer.destination(*listener.getsockname())
    values: Values = {"ports": ports}
    errors = held = 0
    gc.disable()
    for percent in PERCENT:
        while held < ports * percent // 100:
            errors += dialer.dial(target) == FAILED
            held += 1
        connect_us, dial_us, failed = _time(dialer, target, int(options["connects"]))
        values[f"connect-{percent}"], values[f"dial-{percent}"] = connect_us, dial_us
        errors += failed
    values["times-at-99"] = values["connect-99"] / values["connect-1"]
    values["errors"] = errors
    return values


def _prepare(first: int) -> None:
    enter_namespaces(pid=False, hash_entries=1 << 17)
    write_setting("ipv4.ip_local_port_range", f"{first} {_LAST}")
    write_setting("core.somaxconn", "200000")


def _time(dialer: Dialer, target: int, connects: int) -> tuple[float, float, int]:
    """Median of connects alone and of whole dials, in us, and how many failed."""
    calls, dials = [], []
    for _ in range(connects):
        began = perf_counter_ns()
        fd = dialer.dial(target)
        dials.append(perf_counter_ns() - began)
        if fd == FAILED:
            return 0.0, 0.0, 1
        calls.append(dialer.last_call_ns)
        dialer.reset(fd)
    return statistics.median(calls) / 1e3, statistics.median(dials) / 1e3, 0
