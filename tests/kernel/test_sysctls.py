"""Settings of a run's namespace: derived as documented, kept by the kernel, never the host's."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.errors import Refused
from simulator.kernel import sysctls
from simulator.scenario.schema import Kernel
from simulator.scenario.sysctls import ALLOWED_SYSCTLS
from tests.support.namespace import in_namespace

HAS_REUSE_DELAY = Path("/proc/sys/net/ipv4/tcp_tw_reuse_delay").exists()
need_reuse_delay = pytest.mark.skipif(not HAS_REUSE_DELAY, reason="came with Linux 6.14")


def kernel(**values: Any) -> Kernel:  # noqa: ANN401 - any value of a scenario
    return Kernel.model_validate(values)


def test_the_kernels_own_time_wait_switches_reuse_off() -> None:
    wanted = sysctls.settings_for(kernel(time_wait="60s"))
    assert wanted["net.ipv4.tcp_tw_reuse"] == "0"
    assert sysctls.REUSE_DELAY not in wanted


@given(milliseconds=st.integers(1, 59_999))
def test_a_shorter_time_wait_is_a_reuse_delay(milliseconds: int) -> None:
    wanted = sysctls.settings_for(kernel(time_wait=f"{milliseconds}ms"))
    assert wanted["net.ipv4.tcp_tw_reuse"] == "1"
    assert wanted[sysctls.REUSE_DELAY] == str(milliseconds)


def test_ranges_are_written_as_the_kernel_reads_them() -> None:
    wanted = sysctls.settings_for(
        kernel(port_range="49152-50151", reserved_ports=[49200, "49300-49309"], somaxconn=17)
    )
    assert wanted["net.ipv4.ip_local_port_range"] == "49152 50151"
    assert wanted["net.ipv4.ip_local_reserved_ports"] == "49200,49300-49309"


@given(singles=st.lists(st.integers(1, 65_535), max_size=8))
def test_reserved_ports_are_listed_in_order_each_once(singles: list[int]) -> None:
    text = sysctls.settings_for(kernel(reserved_ports=singles))["net.ipv4.ip_local_reserved_ports"]
    listed: list[int] = []
    for part in filter(None, text.split(",")):
        first, _, last = part.partition("-")
        listed += range(int(first), int(last or first) + 1)
    assert listed == sorted(set(singles))


def test_other_settings_are_written_as_given() -> None:
    wanted = sysctls.settings_for(kernel(somaxconn=17))
    assert wanted["net.core.somaxconn"] == "17"


def test_the_low_bound_is_opened_before_a_range_that_needs_it() -> None:
    """The kernel refuses a port range that begins below ip_unprivileged_port_start."""
    names = list(sysctls.settings_for(kernel(port_range="1-1000")))
    start, ports = "net.ipv4.ip_unprivileged_port_start", "net.ipv4.ip_local_port_range"
    assert names.index(start) < names.index(ports)


def test_the_scenarios_own_settings_have_the_last_word() -> None:
    given_value = {"net.ipv4.tcp_syn_retries": 2, "net.ipv4.ip_unprivileged_port_start": 1024}
    wanted = sysctls.settings_for(kernel(sysctls=given_value))
    assert {name: wanted[name] for name in given_value} == {
        name: str(value) for name, value in given_value.items()
    }


# On the real kernel, each in a namespace of its own.


def written(wanted: dict[str, str]) -> list[str]:
    sysctls.write_settings(wanted)
    return sysctls.differences(wanted)


@st.composite
def reserved(draw: st.DrawFn) -> list[object]:
    first = draw(st.integers(1, 65_535))
    last = draw(st.integers(first, min(65_535, first + 5)))
    near = st.integers(max(1, first - 3), min(65_535, last + 3))
    return [f"{first}-{last}", *draw(st.lists(near, max_size=3))]


SCENARIOS: dict[str, Any] = {
    "as it comes": {},
    "all ports": {"port_range": "1-65535"},
    "one port": {"port_range": "40000-40000"},
    "sixty seconds": {"time_wait": "60s"},
    "neighbours": {"reserved_ports": [5000, 5001, "5002-5003"]},
    "out of order": {"reserved_ports": [7000, 6000, "5000-5009"]},
    "twice": {"reserved_ports": [5000, 5000, "4990-5010"]},
    "to the end": {"reserved_ports": ["65530-65535", 1]},
    "short": pytest.param({"time_wait": "500ms"}, marks=need_reuse_delay),
    "shortest": pytest.param({"time_wait": "1ms"}, marks=need_reuse_delay),
}


@pytest.mark.namespace
@pytest.mark.parametrize("values", SCENARIOS.values(), ids=SCENARIOS.keys())
def test_what_is_written_reads_back(values: dict[str, Any]) -> None:
    assert in_namespace(written, sysctls.settings_for(kernel(**values))) == []


@pytest.mark.namespace
def test_any_list_of_reserved_ports_reads_back_as_it_was_written() -> None:
    @given(ports=reserved())
    def check(ports: list[object]) -> None:
        assert written(sysctls.settings_for(kernel(reserved_ports=ports))) == []

    in_namespace(check)


@pytest.mark.namespace
@pytest.mark.parametrize("end", [0, 1], ids=["lowest", "highest"])
def test_the_kernel_takes_both_ends_of_every_allowed_setting(end: int) -> None:
    values = {
        name: bounds[end]
        for name, bounds in ALLOWED_SYSCTLS.items()
        if name != "net.core.somaxconn" and sysctls.read_settings([name])[name] is not None
    }
    ports = "65535-65535" if end else "49152-65535"
    wanted = sysctls.settings_for(kernel(port_range=ports, sysctls=values))
    assert in_namespace(written, wanted) == []


@pytest.mark.namespace
def test_no_allowed_setting_reaches_beyond_its_namespace() -> None:
    """Read outside while a child inside holds each at a value that differs from outside."""

    def moved() -> dict[str, str | None]:
        before = sysctls.read_settings()
        wanted = {
            name: str(low if before[name] != str(low) else high)
            for name, (low, high, _) in ALLOWED_SYSCTLS.items()
            if before[name] is not None
        }
        sysctls.write_settings(wanted)
        after = sysctls.read_settings()
        assert all(after[name] == value for name, value in wanted.items())
        return after

    before = sysctls.read_settings()
    assert in_namespace(moved) != before
    assert sysctls.read_settings() == before


@pytest.mark.namespace
def test_a_value_the_kernel_does_not_take_is_refused_by_name() -> None:
    def body() -> str:
        with pytest.raises(Refused) as refusal:
            sysctls.write_settings({"net.ipv4.ip_local_port_range": "60000 50000"})
        return str(refusal.value)

    assert "net.ipv4.ip_local_port_range = 60000 50000" in in_namespace(body)


@pytest.mark.namespace
def test_a_setting_that_changed_after_writing_is_told_apart() -> None:
    def body() -> list[str]:
        wanted = sysctls.settings_for(kernel(somaxconn=100))
        sysctls.write_settings(wanted)
        sysctls.write_settings({"net.core.somaxconn": "101"})
        return sysctls.differences(wanted)

    assert in_namespace(body) == ["net.core.somaxconn: wrote '100', reads '101'"]


# Where a setting is missing: a /proc/sys of our own, with real files.


@pytest.fixture
def old_kernel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A /proc/sys like that of a kernel before 6.14."""
    names = {*sysctls.settings_for(kernel(time_wait="60s")), *sysctls.ALWAYS_READ}
    for name in names - {sysctls.REUSE_DELAY}:
        path = tmp_path / name.replace(".", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("7\n")
    monkeypatch.setattr(sysctls, "_path", lambda name: tmp_path / name.replace(".", "/"))
    return tmp_path


def test_a_short_time_wait_is_refused_where_the_kernel_lacks_it(old_kernel: Path) -> None:
    with pytest.raises(Refused) as refusal:
        sysctls.refuse_what_is_missing(kernel(time_wait="500ms"))
    message = str(refusal.value)
    assert "kernel.time_wait is 500ms" in message
    assert "Linux 6.14" in message
    assert "Set kernel.time_wait: 60s" in message
    sysctls.refuse_what_is_missing(kernel(time_wait="60s"))


def test_any_other_missing_setting_is_refused_by_name(old_kernel: Path) -> None:
    (old_kernel / "net/ipv4/tcp_rfc1337").unlink()
    with pytest.raises(Refused, match=r"has no setting net\.ipv4\.tcp_rfc1337"):
        sysctls.refuse_what_is_missing(kernel(time_wait="60s", sysctls={"net.ipv4.tcp_rfc1337": 1}))


def test_what_cannot_be_read_is_none_and_not_an_error(old_kernel: Path) -> None:
    found = sysctls.read_settings()
    assert found[sysctls.REUSE_DELAY] is None
    assert found["net.ipv4.tcp_tw_reuse"] == "7"
    assert set(found) == set(sysctls.ALWAYS_READ)


def test_this_kernel_lacks_nothing_a_scenario_needs_by_default() -> None:
    sysctls.refuse_what_is_missing(kernel())
