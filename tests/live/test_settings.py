"""What the conductor tells a role arrives as it was said, through JSON text."""

from __future__ import annotations

import json
from pathlib import Path
from typing import get_args, get_type_hints

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.live.casting import cast
from simulator.live.dns_settings import ForgerRole, ResolverRole
from simulator.live.driver_settings import DriverRole
from simulator.live.settings import (
    BackendRole,
    BalancerRole,
    ClientRole,
    CrewSettings,
    HopView,
    RoleSpec,
    SamplerRole,
    SidecarRole,
    SourceSettings,
)
from tests.support.runs import scenario

KINDS = {
    "backend": BackendRole,
    "balancer": BalancerRole,
    "sidecar": SidecarRole,
    "client": ClientRole,
    "forger": ForgerRole,
    "sampler": SamplerRole,
}
st.register_type_strategy(int, st.integers(-(2**63), 2**63 - 1))
# The schema lets no endless number and no NaN this far, and NaN is not even equal to itself.
st.register_type_strategy(float, st.floats(allow_nan=False, allow_infinity=False))


@st.composite
def role_specs(draw: st.DrawFn) -> RoleSpec:
    kind = draw(st.sampled_from(sorted(KINDS)))
    return RoleSpec(
        kind=kind,
        index=draw(st.integers(0, 63)),
        settings=draw(st.from_type(KINDS[kind])),
        descriptors=draw(st.none() | st.integers(32, 1 << 20)),
        loop=draw(st.sampled_from(["uvloop", "asyncio"])),
    )


def through_json(settings: CrewSettings) -> CrewSettings:
    return CrewSettings.from_json(json.loads(json.dumps(settings.to_json())))


@given(roles=st.lists(role_specs(), max_size=4), sysctls=st.dictionaries(st.text(), st.text()))
def test_any_crew_survives_the_way_through_json(
    roles: list[RoleSpec], sysctls: dict[str, str]
) -> None:
    settings = CrewSettings(sysctls=sysctls, hash_entries=1024, roles=tuple(roles))
    assert through_json(settings) == settings


@pytest.mark.parametrize("driver", ["own", "none"])
def test_the_crew_of_a_scenario_survives_it_too(driver: str) -> None:
    settings = cast(scenario(balancer={"driver": driver}), Path("folder"), 100)
    assert through_json(settings) == settings
    assert len({role.kind for role in settings.roles}) == (4 if driver == "own" else 3)


def test_every_kind_of_role_has_its_settings() -> None:
    assert set(get_args(get_type_hints(RoleSpec)["settings"])) == {
        *KINDS.values(),
        DriverRole,
        ResolverRole,
    }


@pytest.mark.parametrize("kind", [*KINDS.values(), SourceSettings, HopView, RoleSpec, CrewSettings])
def test_settings_are_values_that_nobody_changes_after_they_were_said(kind: type) -> None:
    assert kind.__dataclass_params__.frozen  # type: ignore[attr-defined]
    assert "__slots__" in vars(kind)
