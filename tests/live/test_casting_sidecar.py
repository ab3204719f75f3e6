"""The sidecar's workers: addresses and ports of their own, and the balancer as destination."""

from __future__ import annotations

from pathlib import Path

import pytest

from simulator.live.casting import cast
from simulator.live.casting_sidecar import sidecar_told
from simulator.live.settings import ClientRole, CrewSettings, SamplerRole, SidecarRole
from simulator.preflight.places import FRONT, SIDECAR_FRONT
from tests.support.runs import scenario


def test_without_a_sidecar_nothing_is_cast_and_nothing_told() -> None:
    crew = cast(scenario(), Path("folder"), 10)
    assert not [role for role in crew.roles if role.kind == "sidecar"]
    assert sidecar_told(scenario()) == {}


def test_clients_call_the_sidecar_and_the_sidecar_calls_the_balancer() -> None:
    asked = scenario(sidecar={"workers": 2, "source": {"ports": "userspace"}})
    crew = cast(asked, Path("folder"), 10)
    found = {kind: [r.settings for r in crew.roles if isinstance(r.settings, kind)] for kind in
             (ClientRole, SidecarRole)}  # fmt: skip
    assert [client.front for client in found[ClientRole]] == [SIDECAR_FRONT]
    assert {(one.front, one.upstream) for one in found[SidecarRole]} == {(SIDECAR_FRONT, FRONT)}  # type: ignore[union-attr]
    first, second = (one.source for one in found[SidecarRole])
    assert first.last < second.first, "workers never meet on a port"
    assert sidecar_told(asked) == {"sidecar_front": "127.5.0.1:8080"}


@pytest.mark.parametrize("ports", ["kernel", "userspace", "permanent"])
def test_the_crew_travels_as_json_and_the_sampler_sees_three_hops(ports: str) -> None:
    crew = cast(scenario(sidecar={"source": {"ports": ports}}), Path("folder"), 10)
    assert CrewSettings.from_json(crew.to_json()) == crew
    (sampler,) = [role.settings for role in crew.roles if isinstance(role.settings, SamplerRole)]
    views = {view.name: view for view in sampler.hops}
    assert list(views) == ["client-sidecar", "sidecar-balancer", "balancer-backend"]
    assert len({view.destination_prefix for view in views.values()}) == 3
    assert len({view.source_prefix for view in views.values()}) == 3
