"""What a resolver is told arrives as it was said, through JSON text."""

from __future__ import annotations

import json
from dataclasses import asdict

from hypothesis import given
from hypothesis import strategies as st

from simulator.live.dns_settings import ForgerRole, ResolverRole
from simulator.live.settings import CrewSettings, RoleSpec

PORT = st.integers(1, 65535)


@given(st.builds(ResolverRole, front=st.tuples(st.text(), PORT)))
def test_a_resolvers_settings_survive(role: ResolverRole) -> None:
    assert ResolverRole.from_json(json.loads(json.dumps(asdict(role)))) == role
    crew = CrewSettings(sysctls={}, roles=(RoleSpec(kind="balancer", index=0, settings=role),))
    assert CrewSettings.from_json(json.loads(json.dumps(crew.to_json()))) == crew


def test_a_forgers_too() -> None:
    role = ForgerRole(rate_per_s=1.5, packets=2, first=0, last=0, idents=4, until_ns=5, seed=6)
    crew = CrewSettings(sysctls={}, roles=(RoleSpec(kind="forger", index=0, settings=role),))
    assert CrewSettings.from_json(json.loads(json.dumps(crew.to_json()))) == crew
