"""Budgets, TIME_WAIT and ceilings by arithmetic, and the kernel's own word for them."""

from __future__ import annotations

import select
import socket
from time import monotonic
from typing import TYPE_CHECKING

import numpy as np
import pytest

from simulator.live.dialer import FAILED
from simulator.live.port_modes import new_dialer
from simulator.ports.range import PortRange
from simulator.preflight.hops import (
    blocked_ns,
    ceilings,
    hop_budgets,
    listeners_within,
    open_ns,
    range_remarks,
    remarks,
    waits_ns,
)
from simulator.records import Hop
from simulator.seeds import pure_random
from simulator.traffic.plan import make_plan
from tests.support.namespace import in_namespace, write_sysctl
from tests.support.scenarios import small

if TYPE_CHECKING:
    from simulator.live.port_modes import Mode
    from simulator.preflight.hops import Ceiling
    from simulator.scenario.schema import Scenario

MS = 1_000_000
MODES = ("kernel", "early-bind", "late-bind", "socket-range", "userspace", "permanent")
TEN = [
    "kernel.port_range=50000-50009",
    "kernel.reserved_ports=[50007]",
    "backends={count: 2, ports: permanent, range: 50003-50010}",
    "balancer.source.addresses=2",
]


def budget_of(*flags: str) -> dict[str, int]:
    return {budget.name: budget.budget for budget in hop_budgets(small(*flags))}


def ceiling_of(scenario: Scenario, hop: Hop = Hop.BALANCER_BACKEND) -> Ceiling:
    plan = make_plan(scenario)
    found = ceilings(scenario, plan, open_ns(scenario, plan))
    return next(one for one in found if one.hop == hop.label)


def _connects_that_stand(mode: Mode) -> int:
    """Fill two destinations from two addresses with the dialer that runs use; count them."""
    write_sysctl("ip_local_port_range", "50000 50009")
    write_sysctl("ip_local_reserved_ports", "50007")
    listeners = [socket.create_server(("127.4.0.1", port), backlog=200) for port in (50003, 50004)]
    dialer = new_dialer(
        mode,
        ["127.3.0.1", "127.3.0.2"],
        PortRange(50000, 50009),
        generator=pure_random(1, "test"),
    )
    targets = [dialer.destination("127.4.0.1", port) for port in (50003, 50004)]
    stand = sum(dialer.dial(targets[n % 2]) != FAILED for n in range(120))
    dialer.close_all()
    for listener in listeners:
        listener.close()
    return stand


@pytest.mark.namespace
@pytest.mark.parametrize("mode", MODES)
def test_the_budget_is_what_the_kernel_grants(mode: Mode) -> None:
    scenario = small(*TEN, f"balancer.source.ports={mode}")
    budget = hop_budgets(scenario)[1]
    assert in_namespace(_connects_that_stand, mode) == budget.total


def _blocked_ms(mode: Mode, delay_ms: int, patience_ms: int) -> int | None:
    """How long after an active close the only port can be had again; None = not in that time."""
    write_sysctl("ip_local_port_range", "50000 50000")
    write_sysctl("tcp_tw_reuse", "1")
    write_sysctl("tcp_tw_reuse_delay", str(delay_ms))
    listener = socket.create_server(("127.4.0.1", 20_000))
    ports = PortRange(50000, 50000)
    dialer = new_dialer(mode, ["127.3.0.1"], ports, generator=pure_random(1, "test"))
    target = dialer.destination("127.4.0.1", 20_000)
    fd = dialer.dial(target)
    accepted, _ = listener.accept()
    dialer.close(fd)
    accepted.recv(1)
    accepted.close()
    begin = monotonic()
    while (waited := (monotonic() - begin) * 1e3) < patience_ms:
        if dialer.dial(target) != FAILED:
            return round(waited)
        select.select([], [], [], 0.001)
    return None


@pytest.mark.namespace
@pytest.mark.parametrize("mode", MODES)
def test_a_port_comes_back_when_the_arithmetic_says(mode: Mode) -> None:
    scenario = small("kernel.time_wait=150ms", f"balancer.source.ports={mode}")
    expected = blocked_ns(scenario, scenario.balancer.source)
    seen = in_namespace(_blocked_ms, mode, 150, 500)
    if expected is None or expected > 500 * MS:
        assert seen is None
    else:
        assert seen is not None
        assert expected / MS - 5 <= seen <= expected / MS + 100


def test_budgets_leave_out_what_the_kernel_would_pass_over() -> None:
    assert budget_of(*TEN)["balancer-backend"] == 10 - 1 - 2
    early = budget_of(*TEN, "balancer.source.ports=early-bind")
    assert early["balancer-backend"] == 10 - 1
    own = budget_of(*TEN, "balancer.source.ports=userspace")
    assert own["balancer-backend"] == 10
    assert budget_of("balancer.driver=none", "clients.source.ports=kernel") == {
        "client-backend": 16_383  # the backend listens on one of the 16,384
    }


@pytest.mark.parametrize(
    ("flags", "held"),
    [
        (["backends={count: 3, ports: random, range: 20000-20999}"], 0),
        (["backends={count: 3, ports: random, range: 49000-50999}"], 3),
        (["backends={count: 3, ports: permanent, range: 49151-50999}"], 2),
        (["backends={count: 3, ports: kernel}"], 3),
        (["backends={count: 3, ports: permanent}", "kernel.port_range=8000-9000"], 1),
        (["backends={count: 3, ports: permanent}", "kernel.port_range=1000-1025"], 2),
    ],
)
def test_listeners_within_a_range_are_counted(flags: list[str], held: int) -> None:
    scenario = small(*flags)
    assert listeners_within(scenario, scenario.kernel.port_range) == held


def test_groups_are_sources_times_destinations_or_sources_alone() -> None:
    flags = ["backends.count=4", "balancer.source.addresses=3"]
    late, early = (
        hop_budgets(small(*flags, f"balancer.source.ports={mode}"))[1]
        for mode in ("late-bind", "early-bind")
    )
    assert (late.per, late.groups) == ("tuple", 12)
    assert (early.per, early.groups) == ("address", 3)
    client = hop_budgets(small(*flags))[0]
    assert (client.sources, client.destinations) == (16, 1)


@pytest.mark.parametrize(
    ("close", "client_waits", "balancer_waits"),
    [
        ("client", True, True),
        ("balancer", False, True),
        ("backend", False, False),
        ("reset", False, False),
    ],
)
def test_who_closes_first_keeps_the_tuple(
    close: str, client_waits: bool, balancer_waits: bool
) -> None:
    scenario = small(
        f"balancer.close={close}", "kernel.time_wait=500ms", "clients.source.ports=kernel"
    )
    waits = [waits_ns(scenario, hop) for hop in (Hop.CLIENT_BALANCER, Hop.BALANCER_BACKEND)]
    assert waits == [500 * MS * client_waits, 500 * MS * balancer_waits]


def test_without_timestamps_nothing_comes_back_early() -> None:
    scenario = small(
        "kernel.time_wait=500ms",
        "kernel.sysctls.net.ipv4.tcp_timestamps=0",
        "balancer.source.ports=userspace",
    )
    assert blocked_ns(scenario, scenario.balancer.source) == 60_000 * MS
    assert any("tcp_timestamps is 0" in text for text in remarks(scenario))


def test_the_wall_is_ports_over_time_wait() -> None:
    scenario = small(
        "kernel={port_range: 50000-51999, time_wait: 500ms}",
        "backends={ports: permanent, service_time: 3ms}",
        "traffic.0={name: ramp, for: 10s, arrivals: {constant: {from: 1000/s, to: 6000/s}}}",
    )
    wall = ceiling_of(scenario)
    assert wall.per_s == pytest.approx(2000 / 0.503)
    assert wall.asked_per_s == 6000
    # The ramp asks for its last 503 ms when it needs most: its mean rate there, times 503 ms.
    assert wall.needed == pytest.approx((6000 - 500 * 0.503 / 2) * 0.503, abs=2)
    # In use at time t: the integral over the last 503 ms, 2,000 of them when the rate at their
    # middle is 2,000/0.503.
    rate_at = (2000 / 0.503 - 1000) / 500 + 0.503 / 2
    assert wall.runs_out_at_ns == pytest.approx(rate_at * 1e9, rel=1e-3)
    assert wall.sentence == (
        "balancer-backend: 2,000 ports / (500ms TIME_WAIT + 3ms open) = 3,976/s; asked up to "
        "6,000/s, which takes 2,955 of 2,000 tuples at once, so it runs out after 6.2s"
    )


@pytest.mark.parametrize(
    ("close", "open_ms", "wait_ms"), [("client", 5, 500), ("balancer", 52, 500), ("backend", 2, 0)]
)
def test_closing_changes_how_long_a_tuple_is_held(close: str, open_ms: int, wait_ms: int) -> None:
    scenario = small(
        "kernel.time_wait=500ms",
        f"balancer={{close: {close}, idle_timeout: 50ms}}",
        "backends.service_time=2ms",
        "traffic.0.lifetime=5ms",
    )
    found = ceiling_of(scenario)
    assert (found.open_ns, found.blocked_ns) == (open_ms * MS, wait_ms * MS)


def test_silent_connections_stay_open_for_their_lifetime_whoever_would_close() -> None:
    scenario = small("balancer.close=backend", "traffic.0.requests=0", "traffic.0.lifetime=5ms")
    assert set(open_ns(scenario, make_plan(scenario))) == {5 * MS}


def test_permanent_ports_serve_as_many_connections_as_there_are() -> None:
    scenario = small(
        "kernel.port_range=50000-50099",
        "balancer.source.ports=permanent",
        "backends.count=3",
        "traffic.0.arrivals.constant=1000/s",
    )
    found = ceiling_of(scenario)
    assert (found.tuples, found.needed, found.per_s, found.blocked_ns) == (100, 1000, 0, None)
    assert found.runs_out_at_ns == 100 * MS
    assert "never given back" in found.sentence


def test_a_hold_needs_one_tuple_each() -> None:
    scenario = small(
        "balancer.driver=none",
        "clients.source={addresses: 1, ports: kernel}",
        "backends={ports: permanent}",
        "traffic.0={name: hold, for: 20s, hold: {connections: 16385, rate: 1000/s}}",
    )
    found = ceiling_of(scenario, Hop.CLIENT_BACKEND)
    assert (found.tuples, found.needed) == (16_384, 16_385)
    assert found.runs_out_at_ns == 16_384 * MS


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["backends.count=4"], "4 of the ports 49152-65535 are held by listeners"),
        (["kernel.port_range=50000-50008", "backends.ports=permanent"], "odd number of ports"),
        (
            ["balancer.source.ports=early-bind", "kernel.time_wait=1s"],
            "keeps its port for 60s, whatever kernel.time_wait says",
        ),
        (["clients.source.range=50000-50999"], "1,000 ports is lost to balancer"),
        (
            ["balancer.source.ports=early-bind", "clients.source.ports=kernel"],
            "balancer bind their own ports (early-bind)",
        ),
        (
            [
                "traffic.0.lifetime=4s",
                "traffic.0.requests=2",
                "balancer.idle_timeout=1s",
            ],
            "the balancer cuts connections",
        ),
        (
            ["traffic.0.think=4s", "traffic.0.requests=2", "backends.idle_timeout=1s"],
            "so backends cut connections",
        ),
    ],
)
def test_remarks_name_what_numbers_hide(flags: list[str], words: str) -> None:
    assert any(words in text for text in remarks(small(*flags)))


def test_a_plain_scenario_needs_no_remark() -> None:
    assert remarks(small("backends.ports=permanent")) == ()


def test_in_use_is_counted_from_the_plan() -> None:
    scenario = small("kernel.time_wait=500ms", "traffic.0.arrivals={poisson: 2000/s}")
    plan = make_plan(scenario)
    due = plan.columns["due_ns"]
    by_hand = max(np.sum((due <= t) & (due + 500 * MS > t)) for t in due[::50])
    assert by_hand <= ceiling_of(scenario).needed <= by_hand + 60


def test_what_a_range_hides_is_said_for_its_hop_alone() -> None:
    odd = small("kernel.port_range=50000-50100", "kernel.reserved_ports=[50007]")
    assert range_remarks(odd, Hop.BALANCER_BACKEND) == [
        "1 of the ports 50000-50100 are reserved (kernel.reserved_ports)",
        "the range 50000-50100 has an odd number of ports",
    ]
    # The clients bind ports of their own, which no reservation and no step of 2 keeps from them.
    assert range_remarks(odd, Hop.CLIENT_BALANCER) == []
    assert range_remarks(small("kernel.port_range=50000-50099"), Hop.BALANCER_BACKEND) == []


def test_a_sidecar_has_one_destination_however_many_backends_there_are() -> None:
    flags = ["kernel.port_range=50000-50199", "kernel.time_wait=500ms", "backends.ports=permanent"]
    meshed = small(*flags, "sidecar={}", "backends.count=4")
    budgets = {budget.name: budget for budget in hop_budgets(meshed)}
    assert list(budgets) == ["client-sidecar", "sidecar-balancer", "balancer-backend"]
    assert [budgets[name].destinations for name in budgets] == [1, 1, 4]
    # Ports over TIME_WAIT, and for the balancer once for each backend.
    assert ceiling_of(meshed, Hop.SIDECAR_BALANCER).per_s == 200 / 0.5
    assert ceiling_of(meshed, Hop.BALANCER_BACKEND).per_s == 4 * 200 / 0.5


@pytest.mark.parametrize(
    ("close", "sidecar", "balancer"),
    [("client", 500, 500), ("balancer", 0, 500), ("backend", 0, 0), ("reset", 0, 0)],
)
def test_a_sidecar_keeps_a_tuple_when_the_client_closes_first(
    close: str, sidecar: int, balancer: int
) -> None:
    meshed = small(
        "kernel.time_wait=500ms",
        "sidecar={}",
        f"balancer={{close: {close}, idle_timeout: 1s}}",
    )
    assert waits_ns(meshed, Hop.SIDECAR_BALANCER) == sidecar * MS
    assert waits_ns(meshed, Hop.BALANCER_BACKEND) == balancer * MS


def test_ports_that_a_sidecar_binds_are_lost_to_the_balancers_choice() -> None:
    (told,) = remarks(small("sidecar.source.ports=userspace", "backends.ports=permanent"))
    assert told.startswith("sidecar bind their own ports")
