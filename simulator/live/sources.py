"""From resolved source settings to the dialer that carries them out; the same on both hops."""

from __future__ import annotations

from typing import TYPE_CHECKING

from simulator.live.datagram_dialer import DatagramDialer
from simulator.live.port_modes import Mode, new_dialer
from simulator.live.self_connect import WaryDialer
from simulator.ports.range import PortRange
from simulator.seeds import pure_random

if TYPE_CHECKING:
    from simulator.live.dialer import Dialer
    from simulator.live.settings import SourceSettings


def source_dialer(source: SourceSettings, *names: str | int) -> Dialer:
    """The dialer for resolved source settings."""
    mode: Mode = source.mode  # type: ignore[assignment] # checked by the scenario
    if source.may_meet_itself:
        return WaryDialer(mode, source.addresses)
    ports, generator = PortRange(source.first, source.last), pure_random(source.seed, *names)
    if source.datagrams:
        return DatagramDialer(source.addresses, ports, source.pick, generator)
    return new_dialer(mode, source.addresses, ports, pick=source.pick, generator=generator)
