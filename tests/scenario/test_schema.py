"""What a scenario means in itself: defaults, short forms, rules across keys."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from simulator.ports.range import DYNAMIC, USER, PortRange
from simulator.scenario.balancer import Policy
from simulator.scenario.load import resolved
from simulator.scenario.schema import Duration, Kernel, Scenario
from tests.support.scenarios import SMALL, complaints, small


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


@given(st.integers(0, 3600))
def test_a_plain_time_is_a_constant_duration(seconds: int) -> None:
    short = Duration.model_validate(f"{seconds}s")
    assert short == Duration.model_validate({"constant": f"{seconds}s"})
    assert short.mean_ns == seconds * 10**9


def test_short_forms_mean_what_they_spell_out() -> None:
    scenario = small("balancer.policy={choices: 3}", "traffic.0.lifetime={exponential: 4ms}")
    assert scenario.balancer.policy == Policy(name="choices", choices=3)
    assert scenario.traffic[0].lifetime.mean_ns == 4_000_000
    steady = small().traffic[0].arrivals
    assert steady is not None
    assert steady.constant is not None
    assert (steady.constant.from_per_s, steady.constant.to_per_s) == (10.0, 10.0)


@pytest.mark.parametrize(
    ("ports", "listen"), [("kernel", None), ("random", DYNAMIC), ("permanent", USER)]
)
def test_backends_listen_where_their_allocator_looks(ports: str, listen: PortRange | None) -> None:
    assert small(f"backends.ports={ports}").backends.listen_range == listen


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


def test_a_paced_ramp_must_fit_into_its_phase() -> None:
    # 100 at 100/s take 1 s, and a ramp of 1 s half a second more.
    hold = "traffic=[{name: h, for: %s, hold: {connections: 100, rate: 100/s, ramp: 1s}}]"
    assert small(hold % "1500ms").traffic[0].for_ns == 1_500_000_000
    with pytest.raises(Exception, match="needs 2s to open them all at its rate"):
        small(hold % "1400ms")


def test_without_a_ramp_a_hold_takes_its_connections_by_its_rate() -> None:
    (phase,) = small("traffic=[{name: h, for: 1s, hold: {connections: 100, rate: 100/s}}]").traffic
    assert phase.hold is not None
    assert (phase.hold.opening_ns, phase.hold.peak_per_s) == (1_000_000_000, 100)


FIXED = "backends={count: 2, ports: fixed, range: 50000-50009, "


@pytest.mark.parametrize(
    ("flag", "path", "words"),
    [
        ("backends.address=shared", "backends.address", "needs ports: fixed"),
        (FIXED + "address: shared, addresses: 2}", "backends.addresses", "is one address"),
        (FIXED + "quarantine: 1s}", "backends.quarantine", "no other port to take"),
        (
            "backends={count: 3, ports: fixed, range: 50000-50001, addresses: 2}",
            "backends.count",
            "more than the 2 ports",
        ),
    ],
)
def test_a_fixed_port_is_one_for_each_backend(flag: str, path: str, words: str) -> None:
    found = complaints(SMALL, flag)
    assert any(one.path == path and words in one.message for one in found), found


def test_backends_may_share_the_address_of_a_plain_connect() -> None:
    assert small(FIXED + "address: shared}").backends.address == "shared"
