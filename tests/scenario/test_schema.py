"""What a scenario means in itself: defaults, short forms, rules across keys."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from simulator.ports.range import DYNAMIC, PortRange
from simulator.scenario.balancer import Policy
from simulator.scenario.load import resolved
from simulator.scenario.schema import Kernel, Scenario
from tests.support.scenarios import small


def test_defaults_are_those_of_the_reference() -> None:
    scenario = small()
    assert scenario.kernel.port_range == DYNAMIC
    assert scenario.kernel.time_wait == 60_000_000_000
    assert scenario.clients.source.addresses == 16
    assert scenario.backends.listen_range is None
    assert scenario.duration_ns == 1_000_000_000


def test_a_scenario_is_frozen() -> None:
    with pytest.raises(ValidationError):
        small().seed = 3


def test_short_forms_mean_what_they_spell_out() -> None:
    scenario = small("balancer.policy={choices: 3}", "traffic.0.lifetime={exponential: 4ms}")
    assert scenario.balancer.policy == Policy(name="choices", choices=3)
    assert scenario.traffic[0].lifetime.mean_ns == 4_000_000
    steady = small().traffic[0].arrivals
    assert steady is not None
    assert steady.constant is not None
    assert (steady.constant.from_per_s, steady.constant.to_per_s) == (10.0, 10.0)


@pytest.mark.parametrize("ports", ["kernel", "late-bind", "socket-range"])
def test_clients_stay_out_of_the_range_that_the_kernel_picks_from(ports: str) -> None:
    scenario = small("kernel.port_range=40000-41999", f"balancer.source.ports={ports}")
    assert scenario.clients.source.range == PortRange(1024, 39999)
    low = small("kernel.port_range=2000-3999", f"balancer.source.ports={ports}")
    assert low.clients.source.range == PortRange(4000, 65535)


@pytest.mark.parametrize(
    ("flag", "given"),
    [
        ("clients.source.range=50000-51000", PortRange(50000, 51000)),
        ("clients.source.ports=kernel", None),
        ("balancer.source.ports=userspace", None),
        ("balancer.source.ports=early-bind", None),
        ("balancer.driver=none", None),
        ("kernel.port_range=1024-65535", None),
    ],
)
def test_clients_keep_their_range_where_nothing_is_lost_or_gained(
    flag: str, given: PortRange | None
) -> None:
    assert small(flag).clients.source.range == given


def test_clients_keep_their_own_defaults_when_one_of_them_is_changed() -> None:
    source = small("clients.source.pick=sequential").clients.source
    assert (source.addresses, source.ports, source.pick) == (16, "userspace", "sequential")


def test_the_range_for_clients_survives_writing_and_reading() -> None:
    scenario = small()
    assert Scenario.model_validate(resolved(scenario)) == scenario


@given(st.dictionaries(st.text(max_size=30), st.integers(), max_size=3))
def test_no_setting_outside_the_list_gets_in(sysctls: dict[str, int]) -> None:
    try:
        kernel = Kernel.model_validate({"sysctls": sysctls})
    except ValidationError:
        return
    assert all(name.startswith("net.ipv4.") for name in kernel.sysctls)


def test_a_range_below_the_unprivileged_ports_is_refused_when_they_are_raised() -> None:
    setting = "kernel.sysctls={net.ipv4.ip_unprivileged_port_start: 2000}"
    assert small(setting, "kernel.port_range=2000-2999").kernel.port_range.first == 2000
    with pytest.raises(Exception, match="begins below 2000"):
        small(setting, "kernel.port_range=1999-2999")


@pytest.mark.parametrize("phases", [64, 65])
def test_the_number_of_phases_is_bounded(phases: int) -> None:
    text = ", ".join(f"{{name: p{n}, for: 1s, hold: {{connections: 1}}}}" for n in range(phases))
    if phases == 64:
        assert len(small(f"traffic=[{text}]").traffic) == 64
    else:
        with pytest.raises(Exception, match="64 is the most"):
            small(f"traffic=[{text}]")
