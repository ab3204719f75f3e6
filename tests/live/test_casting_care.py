"""What a scenario says of policies and care reaches the relay as it was said."""

from __future__ import annotations

from simulator.live.care import CareSettings
from simulator.live.casting_care import care_settings
from tests.support.scenarios import small

MS = 1_000_000


def test_a_scenario_that_asks_for_nothing_needs_no_care() -> None:
    scenario = small()
    assert care_settings(scenario.balancer) == CareSettings()


def test_everything_asked_for_arrives() -> None:
    scenario = small(
        "balancer.health_checks={every: 200ms, timeout: 50ms, fall: 4, rise: 5, close: reset}",
        "balancer.ejection={failures: 7, for: 3s, silence: 200ms}",
        "balancer.panic=0.25",
        "balancer.cap=9",
        "balancer.queue={size: 11, timeout: 70ms}",
        "balancer.on_no_port=queue",
        "balancer.slow_start=2s",
        "balancer.retry_budget={share: 0.3, reserve: 12}",
        "balancer.policy.name=two-choices",
        "balancer.load_age=13ms",
    )
    assert care_settings(scenario.balancer) == CareSettings(
        check_every_ns=200 * MS,
        check_timeout_ns=50 * MS,
        check_fall=4,
        check_rise=5,
        check_resets=True,
        eject_after=7,
        eject_ns=3000 * MS,
        eject_silence_ns=200 * MS,
        panic=0.25,
        cap=9,
        queue_size=11,
        queue_timeout_ns=70 * MS,
        queues_for_ports=True,
        slow_start_ns=2000 * MS,
        retry_share=0.3,
        retry_reserve=12,
        load_age_ns=13 * MS,
    )
