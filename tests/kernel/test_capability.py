"""What is missing is named, with its meaning and its mend; only what is needed stops a run."""

from __future__ import annotations

from dataclasses import replace

import pytest

from simulator.kernel.capability import Check, Facts, can_run, gather, judge
from simulator.kernel.probe import TRIES

WELL = Facts(
    system="Linux",
    release="6.18.0",
    mode="user",
    refusal="",
    is_init=True,
    tries=dict.fromkeys(TRIES, ""),
    root=False,
    descriptors=(1024, 1 << 20),
    memory_bytes=8 << 30,
    cpus=4,
    clocksource="tsc",
    peers={"haproxy": "2.6"},
)


def check_of(facts: Facts, name: str) -> Check:
    """The check with this name."""
    (found,) = [check for check in judge(facts) if check.name == name]
    return found


def test_a_machine_that_lacks_nothing_has_nothing_to_mend() -> None:
    checks = judge(WELL)
    assert {check.state for check in checks} == {"ok"}
    assert not any(check.mend for check in checks)
    assert can_run(checks)


def test_root_needs_no_user_namespace() -> None:
    assert check_of(replace(WELL, mode="root"), "namespaces").state == "ok"


@pytest.mark.parametrize(
    ("lacking", "name", "state", "able"),
    [
        ({"system": "Darwin"}, "kernel", "missing", False),
        ({"mode": "", "refusal": "refused\nmore"}, "namespaces", "missing", False),
        ({"is_init": False}, "pid namespace", "missing", False),
        ({"tries": {**WELL.tries, "settings": "EROFS"}}, "port settings", "missing", False),
        ({"tries": {**WELL.tries, "reuse-delay": "ENOENT"}}, "short TIME_WAIT", "limited", True),
        (
            {"tries": {**WELL.tries, "socket-range": "ENOPROTOOPT"}},
            "IP_LOCAL_PORT_RANGE",
            "limited",
            True,
        ),
        (
            {"tries": {**WELL.tries, "late-bind": "EOPNOTSUPP"}},
            "IP_BIND_ADDRESS_NO_PORT",
            "missing",
            False,
        ),
        ({"tries": {**WELL.tries, "sock-diag": "ENOENT"}}, "sock_diag", "missing", False),
        ({"tries": {}}, "sock_diag", "missing", False),
        ({"descriptors": (1024, 20_000)}, "descriptors", "limited", True),
        ({"descriptors": (256, 1024)}, "descriptors", "missing", False),
        ({"memory_bytes": 100 << 20}, "memory", "limited", True),
        ({"cpus": 1}, "cpus", "limited", True),
        ({"clocksource": "hpet"}, "clock", "limited", True),
        ({"leftovers": ["process 7 (x) of run y"]}, "leftovers", "limited", True),
        ({"peers": {"haproxy": None}}, "haproxy", "missing", True),
        ({"drivers": {"haproxy": "it is too old"}}, "haproxy", "limited", True),
    ],
)
def test_what_is_lacking_is_named_with_its_mend(
    lacking: dict[str, object], name: str, state: str, able: bool
) -> None:
    facts = replace(WELL, **lacking)  # type: ignore[arg-type]
    check = check_of(facts, name)
    assert check.state == state
    assert check.mend
    assert check.meaning != check_of(WELL, name).meaning or name in ("memory", "descriptors")
    assert can_run(judge(facts)) is able


def test_no_descriptor_limit_is_ok() -> None:
    assert check_of(replace(WELL, descriptors=(1024, -1)), "descriptors").found == "no limit"


@pytest.mark.namespace
def test_this_machine_can_be_judged() -> None:
    facts = gather()
    assert facts.cpus > 0
    assert facts.memory_bytes > 0
    assert facts.mode in ("user", "root")
    assert can_run(judge(facts))
