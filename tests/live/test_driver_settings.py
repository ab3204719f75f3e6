"""What a minder is told travels as JSON and comes back the same."""

from __future__ import annotations

import json
from dataclasses import asdict

from simulator.live.driver_settings import DriverRole
from simulator.live.settings import CrewSettings, RoleSpec


def test_it_survives_the_way_to_the_crew() -> None:
    role = DriverRole(
        driver="haproxy",
        binary="/usr/sbin/haproxy",
        version="2.6",
        front=("127.2.0.1", 8080),
        policy="round-robin",
        backends=3,
        sources=("127.3.0.1", "127.3.0.2"),
        weights=(2, 1),
    )
    assert DriverRole.from_json(json.loads(json.dumps(asdict(role)))) == role
    crew = CrewSettings(sysctls={}, roles=(RoleSpec(kind="balancer", index=0, settings=role),))
    assert CrewSettings.from_json(json.loads(json.dumps(crew.to_json()))) == crew
