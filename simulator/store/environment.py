"""What a result depends on besides its scenario: kernel, interpreter, machine, limits, load.

Recorded with every run, since a number without its machine says little. Everything here is read,
nothing is changed, and a fact the machine does not tell is None.
"""

from __future__ import annotations

import os
import platform
import resource
from importlib import metadata
from pathlib import Path
from typing import Any, Final

import psutil

from simulator.kernel.peers import look_for
from simulator.scenario.driver import FOREIGN

_PACKAGES: Final = (
    "aiohttp",
    "click",
    "numpy",
    "psutil",
    "pydantic",
    "rich",
    "ruamel.yaml",
    "uvloop",
)
#: Settings of the host that a private namespace inherits or shares.
_HOST_SETTINGS: Final = (
    "fs.file-max",
    "fs.nr_open",
    "net.ipv4.ip_local_port_range",
    "net.ipv4.tcp_mem",
    "net.ipv4.tcp_tw_reuse",
    "net.ipv4.tcp_tw_reuse_delay",
    "net.ipv4.tcp_timestamps",
    "net.netfilter.nf_conntrack_max",
)


def _text(path: str) -> str | None:
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return None


def _cpu_model() -> str | None:
    for line in (_text("/proc/cpuinfo") or "").splitlines():
        name, _, value = line.partition(":")
        if name.strip() in ("model name", "Processor", "cpu model"):
            return value.strip()
    return platform.processor() or None


def _packages() -> dict[str, str]:
    found: dict[str, str] = {}
    for name in _PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def _limit(what: int) -> list[int | None]:
    """Soft and hard limit; None means no limit."""
    pair = resource.getrlimit(what)
    return [None if value == resource.RLIM_INFINITY else value for value in pair]


def capture() -> dict[str, Any]:
    """The environment of this process, as plain JSON values.

    ``load_1min`` is the load before the run; ``cores_allowed`` counts the cores this process may
    use; sizes are bytes; limits are ``[soft, hard]`` with None for unlimited.
    """
    memory = psutil.virtual_memory()
    return {
        "kernel": platform.release(),
        "system": platform.system(),
        "machine": platform.machine(),
        "python": platform.python_version(),
        "python_build": f"{platform.python_implementation()} {platform.python_compiler()}",
        "packages": _packages(),
        "cpu_model": _cpu_model(),
        "cores": psutil.cpu_count(),
        "cores_allowed": len(os.sched_getaffinity(0)),
        "governor": _text("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"),
        "memory_bytes": memory.total,
        "memory_available_bytes": memory.available,
        "limits": {
            "descriptors": _limit(resource.RLIMIT_NOFILE),
            "processes": _limit(resource.RLIMIT_NPROC),
        },
        "clocksource": _text("/sys/devices/system/clocksource/clocksource0/current_clocksource"),
        "load_1min": round(os.getloadavg()[0], 2),
        "host_settings": {
            name: " ".join(value.split())
            for name in _HOST_SETTINGS
            if (value := _text("/proc/sys/" + name.replace(".", "/"))) is not None
        },
        "path": "loopback",
        "root": os.geteuid() == 0,
    }


def driver_facts(driver: str) -> dict[str, Any]:
    """``driver`` of an environment: which program of others was the balancer; {} for our own."""
    if driver not in FOREIGN:
        return {}
    peer = look_for(driver)
    return {"driver": {"name": driver, "version": peer.version, "binary": peer.binary}}
