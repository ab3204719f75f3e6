"""`portchurn port` as a user calls it: on real sockets, and with words that are no ports."""

from __future__ import annotations

import json
import os
import socket
from typing import Any

import pytest
from click.testing import CliRunner

from simulator.cli.port import command
from tests.support.command import portchurn
from tests.support.namespace import in_namespace, write_sysctl


def asked(*arguments: str) -> dict[str, Any]:
    result = CliRunner().invoke(command, [*arguments, "--json"])
    assert result.exit_code == 0, result.output
    found: dict[str, Any] = json.loads(result.output)
    return found


def test_the_port_of_a_listener_of_ours_is_ours() -> None:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        port = server.getsockname()[1]
        (found,) = asked(str(port))["here"]["sockets"]
        text = CliRunner().invoke(command, [str(port)]).output
    assert (found["state"], found["source"], found["sport"]) == ("listen", "127.0.0.1", port)
    assert os.getpid() in [process["pid"] for process in found["processes"]]
    assert f"(pid {os.getpid()}) listens on it (tcp)" in text.splitlines()[0]


def lists_and_ranges() -> list[dict[str, Any]]:
    write_sysctl("ip_local_reserved_ports", "49153,60000-60002")
    return [asked("49152-49154,60001,80"), asked("60162")]


@pytest.mark.namespace
def test_lists_reservations_and_the_range_here() -> None:
    several, one = in_namespace(lists_and_ranges)
    assert [facts["port"] for facts in several["ports"]] == [49152, 49153, 49154, 60001, 80]
    notes = several["here"]["range_notes"]
    assert [port for port, told in notes.items() if "reserved" in told[0]] == ["49153", "60001"]
    assert "80" not in notes
    assert several["here"]["sockets"] == []
    assert one["here"]["local_range"] == "32768-60999"


def test_a_load_says_how_likely_the_port_is_in_use() -> None:
    load = ("--load", "100/s", "--lifetime", "1s", "--range", "50000-59999")
    (facts,) = asked("50000", *load)["ports"]
    assert facts["use"]["wanted"] == pytest.approx(100 * 61)
    assert facts["use"]["any_port"] == pytest.approx(0.61)
    assert facts["use"]["linux"] == 1.0
    (facts,) = asked("50001", *load)["ports"]
    assert facts["use"]["linux"] == pytest.approx((6_100 - 5_000) / 5_000)
    (facts,) = asked("60000", *load)["ports"]
    assert facts["use"]["any_port"] == 0
    (facts,) = asked("50001", "--load", "0/s")["ports"]
    assert facts["use"]["ceiling_per_s"] is None


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["70000"], "70000 is not a port"),
        (["-1"], "'-1' is not a port"),
        (["abc"], "'abc' is neither a port"),
        (["80", "--load", "3"], "--load 3 is not a rate"),
        (["80", "--load", "3/s", "--time-wait", "x"], "--time-wait x is not a time"),
        (["80", "--load", "3/s", "--range", "9-3"], "--range 9-3 is the wrong way round"),
    ],
)
def test_what_is_wrong_is_one_clear_line_and_exit_code_2(arguments: list[str], told: str) -> None:
    done = portchurn("port", *arguments)
    assert done.code == 2
    assert done.out == ""
    assert told in done.err
    assert len(done.err.splitlines()) == 1


def test_a_misspelt_option_is_not_taken_for_a_port() -> None:
    done = portchurn("port", "--laod")
    assert done.code == 2
    assert "No such option" in done.err
