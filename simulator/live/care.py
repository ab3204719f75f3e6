"""What a relay is asked to do for its backends, as plain numbers (scenario `balancer`)."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class CareSettings:
    """How a `GovernedRelay` looks after its backends; all of it is off by default.

    Attributes:
        check_every_ns: time between two checks of a backend; 0 = no checks.
        check_timeout_ns: longest wait of one.
        check_fall: failed checks in a row that take a backend out.
        check_rise: good ones that bring it back.
        check_resets: whether checks end by RST.
        eject_after: failed connects in a row that eject a backend; 0 = never.
        eject_ns: for how long the first time.
        eject_silence_ns: without a first byte for so long, or cut before it, a connection counts
            as a failed connect; 0 = only connects count.
        panic: share of backends that must be fit.
        cap: most connections to one backend; 0 = no cap.
        queue_size: most connections that may wait.
        queue_timeout_ns: how long each.
        queues_for_ports: whether a connection waits when no source port is left.
        slow_start_ns: ramp of a new backend; 0 = none.
        retry_share: retries earned by each connection; 0 = retries are not bounded.
        retry_reserve: what may be saved of them.
        load_age_ns: how old the counts are that the policy compares.
    """

    check_every_ns: int = 0
    check_timeout_ns: int = 500_000_000
    check_fall: int = 3
    check_rise: int = 2
    check_resets: bool = False
    eject_after: int = 0
    eject_ns: int = 1_000_000_000
    eject_silence_ns: int = 0
    panic: float = 0.5
    cap: int = 0
    queue_size: int = 1000
    queue_timeout_ns: int = 1_000_000_000
    queues_for_ports: bool = False
    slow_start_ns: int = 0
    retry_share: float = 0.0
    retry_reserve: int = 10
    load_age_ns: int = 0

    @property
    def is_needed(self) -> bool:
        """Whether anything is on."""
        return bool(
            self.check_every_ns
            or self.eject_after
            or self.cap
            or self.queues_for_ports
            or self.slow_start_ns
            or self.retry_share
            or self.load_age_ns
        )
