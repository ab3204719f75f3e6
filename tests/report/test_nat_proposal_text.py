"""Each change of a NAT has its line, in the tool of whoever must do it."""

from __future__ import annotations

import pytest

from simulator.ports.nat.presets import PRESETS
from simulator.preflight.inverse import Change
from simulator.preflight.nat_knobs import INSTEAD
from simulator.report.nat_proposal_text import nat_lines
from simulator.report.proposal_text import config_lines


def change(kind: str, part: str, after: str) -> Change:
    return Change(kind=kind, part=part, before="", after=after)


@pytest.mark.parametrize(
    ("one", "tool", "words"),
    [
        (
            change("nat-table", "linux-masquerade", "3,300 rows"),
            "sysctl",
            "nf_conntrack_max = 3300",
        ),
        (change("nat-ports", "azure-load-balancer", "1,880 ports"), "az", "--outbound-ports 1880"),
        (change("nat-ports", "google-cloud-nat", "128 ports"), "gcloud", "--min-ports-per-vm=128"),
        (
            change("nat-ports", "google-cloud-nat-dynamic", "1,024 ports"),
            "gcloud",
            "--max-ports-per-vm=1024",
        ),
        (change("nat-ports", "carrier", "2,048 ports"), "operator", "limit of 2048"),
        (change("nat-addresses", "aws-nat-gateway", "2"), "aws", "associate-nat-gateway-address"),
    ],
)
def test_the_line_that_sets_it(one: Change, tool: str, words: str) -> None:
    [(who, line)] = config_lines(one)
    assert who == tool
    assert words in line


@pytest.mark.parametrize("preset", PRESETS)
def test_every_nat_gets_more_addresses_somehow(preset: str) -> None:
    [(who, line)] = nat_lines(change("nat-addresses", preset, "2 addresses"))
    assert who
    assert line
    assert not line.startswith(who)  # the tool is named once


@pytest.mark.parametrize("after", INSTEAD.values())
def test_another_product_is_had_by_a_line(after: str) -> None:
    assert nat_lines(change("nat-preset", "", after))
