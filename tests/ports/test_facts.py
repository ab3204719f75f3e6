"""What is said of a port: regions by RFC 6335, and a name or the word for none."""

from __future__ import annotations

import json

import pytest

from simulator.ports.facts import port_facts, service_of
from simulator.ports.registry import registry

KNOWN = registry()


@pytest.mark.parametrize(
    ("port", "region", "service"),
    [
        (0, "system", "reserved"),
        (24, "system", "any private mail system"),
        (80, "system", "http"),
        (1023, "system", "reserved"),
        (1024, "user", "reserved"),
        (4, "system", "unassigned"),
        (8080, "user", "http-alt"),
        (49151, "user", "reserved"),
        (49152, "dynamic", "none"),
        (65535, "dynamic", "none"),
    ],
)
def test_region_and_service(port: int, region: str, service: str) -> None:
    facts = port_facts(port, KNOWN)
    assert facts["region"]["name"] == region
    assert service_of(facts) == service


def test_facts_are_json() -> None:
    facts = port_facts(60_162, KNOWN)
    assert json.loads(json.dumps(facts)) == json.loads(json.dumps(facts))
    assert [system["name"] for system in facts["systems"]] == [
        *("Linux", "Windows", "macOS", "FreeBSD", "NetBSD", "Solaris")
    ]
    assert facts["pools"][0]["chance"] == pytest.approx(0.1526, abs=1e-4)
