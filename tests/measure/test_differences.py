"""What differs besides the numbers: told by path, and nothing that only ever changes."""

from __future__ import annotations

from typing import Any

from simulator.measure.differences import differences, flat
from tests.support.summaries import summary


def keys(*changes: dict[str, Any]) -> dict[str, tuple[Any, ...]]:
    found = differences([summary(**one) for one in changes])
    return {f"{one.place} {one.key}": one.values for one in found}


def test_equal_runs_differ_in_nothing() -> None:
    assert keys({}, {}) == {}


def test_phases_go_by_their_names_and_lists_by_their_text() -> None:
    value = {"traffic": [{"name": "ramp", "for": "8s"}], "limits": [1, None], "empty": {}}
    assert dict(flat(value)) == {
        "traffic.ramp.name": "ramp",
        "traffic.ramp.for": "8s",
        "limits": "[1, None]",
        "empty": {},
    }


def test_scenario_namespace_host_and_program_are_told_apart() -> None:
    one = {
        "scenario": {"kernel": {"port_range": "50000-50999"}, "title": "one"},
        "sysctls": {"net.ipv4.tcp_tw_reuse": "1"},
        "environment": {"kernel": "6.18.0", "packages": {"numpy": "2.0"}},
        "version": "0.1.0",
    }
    other = {
        "scenario": {"kernel": {"port_range": "50000-51999"}, "title": "other", "sidecar": None},
        "sysctls": {"net.ipv4.tcp_tw_reuse": "2"},
        "environment": {"kernel": "6.14.0", "packages": {"numpy": "2.0"}},
        "version": "0.2.0",
    }
    assert keys(one, other) == {
        "scenario kernel.port_range": ("50000-50999", "50000-51999"),
        "namespace net.ipv4.tcp_tw_reuse": ("1", "2"),
        "host kernel": ("6.18.0", "6.14.0"),
        "program portchurn": ("0.1.0", "0.2.0"),
    }


def test_the_load_before_is_told_where_it_was_far_apart() -> None:
    calm, busy = {"environment": {"load_1min": 0.1}}, {"environment": {"load_1min": 0.4}}
    assert keys(calm, busy) == {}
    storm = {"environment": {"load_1min": 6.0, "memory_available_bytes": 1}}
    assert keys(calm, storm, {"environment": {}}) == {"host load_1min": (0.1, 6.0, None)}


def test_an_absent_key_differs_from_a_given_one() -> None:
    absent: dict[str, Any] = {"scenario": {}}
    assert keys({"scenario": {"grace": "5s"}}, absent) == {"scenario grace": ("5s", None)}
    assert keys({"scenario": None}, {"scenario": None}) == {}
