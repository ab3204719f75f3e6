"""The kernel's own TCP counters of this network namespace, as one flat mapping.

Source: net/ipv4/proc.c; the files are pairs of lines, names then values.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

_PAIRED_FILES: Final = ("/proc/self/net/netstat", "/proc/self/net/snmp")
#: What a run keeps: the rest of several hundred counters says nothing about ports.
KEPT: Final = frozenset(
    {
        "Tcp.ActiveOpens",
        "Tcp.PassiveOpens",
        "Tcp.AttemptFails",
        "Tcp.EstabResets",
        "Tcp.InSegs",
        "Tcp.OutSegs",
        "Tcp.RetransSegs",
        "Tcp.OutRsts",
        "TcpExt.TW",
        "TcpExt.TWRecycled",
        "TcpExt.TWKilled",
        "TcpExt.TCPTimeWaitOverflow",
        "TcpExt.ListenOverflows",
        "TcpExt.ListenDrops",
        "TcpExt.TCPBacklogDrop",
        "TcpExt.TCPReqQFullDrop",
        "TcpExt.TCPReqQFullDoCookies",
        "TcpExt.SyncookiesSent",
        "TcpExt.TCPSynRetrans",
        "TcpExt.TCPTimeouts",
        "TcpExt.TCPChallengeACK",
        "TcpExt.TCPSYNChallenge",
        "TcpExt.TCPAbortOnData",
        "TcpExt.TCPAbortOnClose",
        "TcpExt.TCPAbortOnMemory",
        "TcpExt.TCPAbortOnTimeout",
        "TcpExt.PAWSActive",
        "TcpExt.PAWSEstab",
    }
)


def parse_paired(text: str) -> dict[str, int]:
    """Counters of a netstat- or snmp-like text: ``Tcp: A B`` above ``Tcp: 1 2``."""
    lines = text.splitlines()
    counters: dict[str, int] = {}
    for names, values in zip(lines[::2], lines[1::2], strict=False):
        prefix, _, keys = names.partition(":")
        numbers = values.partition(":")[2].split()
        counters.update(
            (f"{prefix}.{key}", int(number))
            for key, number in zip(keys.split(), numbers, strict=False)
        )
    return counters


def read_counters() -> dict[str, int]:
    """The kept counters of the calling process's network namespace, since it was made."""
    found: dict[str, int] = {}
    for name in _PAIRED_FILES:
        found.update(parse_paired(Path(name).read_text()))
    return {name: value for name, value in found.items() if name in KEPT}


def read_time_wait_count() -> int:
    """TIME_WAIT sockets of the calling process's network namespace, from sockstat; cheap."""
    for line in Path("/proc/self/net/sockstat").read_text().splitlines():
        words = line.split()
        if words[:1] == ["TCP:"]:
            return int(words[words.index("tw") + 1])
    return 0
