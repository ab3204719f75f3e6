"""`--set` and variants: one value changed by its path, everything else as it was."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.scenario.complaint import ScenarioComplaintsError
from simulator.scenario.document import Plain, Tree, plain, read_document
from simulator.scenario.override import apply, read_flag
from tests.support.scenarios import SMALL, complaints

BASE = """
seed: 1
backends: {service_time: 2ms}
balancer: {policy: random}
kernel: {sysctls: {net.ipv4.tcp_timestamps: 1}}
traffic:
  - {name: calm, for: 1s, arrivals: {poisson: 5/s}}
  - {name: ramp.up, for: 2s, arrivals: {poisson: 5/s}}
  - {name: "0", for: 3s, hold: {connections: 3}}
"""


def tree(text: str = BASE) -> Tree:
    root = read_document(text, "t", [])
    assert isinstance(root, Tree)
    return root


def changed(flag: str, root: Tree | None = None) -> Plain:
    """The base with one flag applied."""
    change = read_flag(flag, [])
    assert change is not None
    return plain(apply(root or tree(), change))


def at(node: Plain, *keys: str | int) -> Plain:
    for key in keys:
        node = node[key]  # type: ignore[index] # the test knows its shape
    return node


@pytest.mark.parametrize(
    ("flag", "where", "value"),
    [
        ("seed=7", ["seed"], 7),
        ("seed='7'", ["seed"], "7"),
        ("title=a=b", ["title"], "a=b"),
        ("clients.source.addresses=4", ["clients"], {"source": {"addresses": 4}}),
        ("traffic.1.for=9s", ["traffic", 1, "for"], "9s"),
        ("traffic.calm.for=9s", ["traffic", 0, "for"], "9s"),
        ("traffic.0.for=9s", ["traffic", 0, "for"], "9s"),
        ("traffic.calm.hold={connections: 2}", ["traffic", 0, "hold"], {"connections": 2}),
        (
            "kernel.sysctls.net.ipv4.tcp_timestamps=0",
            ["kernel", "sysctls"],
            {"net.ipv4.tcp_timestamps": 0},
        ),
        (
            "backends.service_time.exponential=1ms",
            ["backends", "service_time"],
            {"exponential": "1ms"},
        ),
        ("balancer.policy.choices=3", ["balancer", "policy"], {"choices": 3}),
        ("traffic.calm.arrivals.constant=1/s", ["traffic", 0, "arrivals"], {"constant": "1/s"}),
        (
            "traffic.calm.arrivals.poisson.to=9/s",
            ["traffic", 0, "arrivals", "poisson"],
            {"from": "5/s", "to": "9/s"},
        ),
        ("thresholds=[failed == 0, ok > 1]", ["thresholds"], ["failed == 0", "ok > 1"]),
    ],
)
def test_a_path_sets_its_value(flag: str, where: list[str | int], value: Plain) -> None:
    assert at(changed(flag), *where) == value


def test_setting_one_of_exclusive_keys_takes_the_others_away() -> None:
    phase = at(changed("traffic.calm.hold={connections: 2}"), "traffic", 0)
    assert isinstance(phase, dict)
    assert "arrivals" not in phase


def test_the_tree_that_was_changed_stays_as_it_was() -> None:
    root = tree()
    before = plain(root)
    assert changed("traffic.calm.for=9s", root) != before
    assert plain(root) == before


@given(st.integers(0, 10**9), st.integers(0, 10**9))
def test_the_last_flag_wins_and_touches_nothing_else(first: int, last: int) -> None:
    once = read_flag(f"seed={first}", [])
    again = read_flag(f"seed={last}", [])
    assert once is not None
    assert again is not None
    both = plain(apply(apply(tree(), once), again))
    expected = plain(tree())
    assert isinstance(expected, dict)
    expected["seed"] = last
    assert both == expected


@pytest.mark.parametrize(
    ("flag", "words"),
    [
        ("traffic.3.for=1s", "there is no entry 3; they are 0 to 2"),
        ("traffic.clam.for=1s", "write one of calm, ramp.up, 0"),
        ("traffic..for=1s", "keys joined by single dots"),
        (".".join(["a"] * 40) + "=1", "keys joined by single dots"),
    ],
)
def test_a_path_that_leads_nowhere_is_named(flag: str, words: str) -> None:
    with pytest.raises(ScenarioComplaintsError, match=r"--set:1:1") as error:
        changed(flag)
    assert words in str(error.value)


def test_faults_of_flags_point_into_the_flag() -> None:
    found = complaints(SMALL, "seed=x", "backends.count=[1", "novalue", "kernel=", "seed=!!int 3")
    heads = [one.head() for one in found]
    assert [head.split(": ")[0] for head in heads] == [
        "--set:1:1",
        "--set:1:6",
        "--set:1:6",
        "--set:1:8",
        "--set:1:18",
    ]
    shown = next(one for one in found if one.path == "backends.count").render().split("\n")
    assert shown[1].endswith("backends.count=[1")
    assert shown[2].index("^") == len(shown[1])
