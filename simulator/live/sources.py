"""From resolved source settings to the dialer that carries them out; the same on both hops."""

from __future__ import annotations

from typing import TYPE_CHECKING

from simulator.live.dialer import Dialer, Mode, new_dialer
from simulator.live.self_connect import WaryDialer
from simulator.ports.range import PortRange
from simulator.seeds import pure_random

if TYPE_CHECKING:
    from simulator.live.settings import SourceSettings


def source_dialer(source: SourceSettings, *names: str | int) -> Dialer:
    """The dialer for resolved source settings."""
    mode: Mode = source.mode  # type: ignore[assignment] # checked by the scenario
    if source.may_meet_itself:
        return WaryDialer(mode, source.addresses)
    return new_dialer(
        mode,
        source.addresses,
        PortRange(source.first, source.last),
        pick=source.pick,
        generator=pure_random(source.seed, *names),
    )
