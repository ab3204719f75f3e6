"""What is done before connect() in a dialer's place, told as a value.

Dialers make their calls themselves. A relay whose calls are compiled makes them on its own, so it
has to be told which: the same ones in the same order.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """What a dialer does before connect(), for a caller who does it by itself.

    Attributes:
        binds: addresses to bind(), used in turn (`Dialer.next_source`); none means no bind().
        is_late: IP_BIND_ADDRESS_NO_PORT is set first.
        range_option: the number that IP_LOCAL_PORT_RANGE is set to, 0 for none.
        has_ports: ports come from lists (`UserspaceDialer.reserve`), with SO_REUSEADDR.
    """

    binds: tuple[str, ...] = ()
    is_late: bool = False
    range_option: int = 0
    has_ports: bool = False
