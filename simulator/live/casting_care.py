"""From a scenario to what its relays are to do for backends: checks, ejection, queues, limits."""

from __future__ import annotations

from typing import TYPE_CHECKING

from simulator.live.care import CareSettings

if TYPE_CHECKING:
    from simulator.scenario.balancer import Balancer


def care_settings(balancer: Balancer) -> CareSettings:
    """What a relay is to do for its backends."""
    checks, ejection, budget = balancer.health_checks, balancer.ejection, balancer.retry_budget
    plain = CareSettings()
    return CareSettings(
        check_every_ns=checks.every if checks else 0,
        check_timeout_ns=checks.timeout if checks else plain.check_timeout_ns,
        check_fall=checks.fall if checks else plain.check_fall,
        check_rise=checks.rise if checks else plain.check_rise,
        check_resets=checks is not None and checks.close == "reset",
        eject_after=ejection.failures if ejection else 0,
        eject_ns=ejection.for_ns if ejection else plain.eject_ns,
        eject_silence_ns=(ejection.silence or 0) if ejection else 0,
        panic=balancer.panic,
        cap=balancer.cap or 0,
        queue_size=balancer.queue.size,
        queue_timeout_ns=balancer.queue.timeout,
        queues_for_ports=balancer.on_no_port == "queue",
        slow_start_ns=balancer.slow_start,
        retry_share=budget.share if budget else 0.0,
        retry_reserve=budget.reserve if budget else plain.retry_reserve,
        load_age_ns=balancer.load_age,
    )
