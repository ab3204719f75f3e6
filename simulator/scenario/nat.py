"""A NAT between the backends and whoever connects to them: a preset, and what differs from it.

Behind it stand the source addresses that dial the backends, each a host: the clients' where there
is no balancer, else the balancer's. The presets are vendors' documented numbers
(`ports/nat/presets.py`); a key that is left out has its preset's value.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

from pydantic import Field, model_validator

from simulator.ports.nat.preallocated import AZURE_TABLE
from simulator.ports.nat.presets import MOST_ADDRESSES, PRESETS, PresetName
from simulator.scenario.fields import Count, Mapping, Ports, TimeNs, about

if TYPE_CHECKING:
    from simulator.ports.nat.rule import NatRule
    from simulator.scenario.schema import Scenario

#: Kind of a rule -> the keys that only some kinds have a use for.
_KEYS: Final = {
    "on-demand": {"per_destination", "mapping", "table"},
    "preallocated": {"per_host", "mapping"},
    "lent": {
        *("per_host", "most_per_host", "block", "ahead", "keeps_block", "grows_after"),
        "mapping",
    },
    "masquerade": {"table", "keep_port"},
    "full-nat": {"cores"},
}
_SOME: Final = set().union(*_KEYS.values())
#: Key of the grammar -> attribute of a rule, where the names differ.
_ATTRIBUTE: Final = {
    "keeps_block": "keeps_block_ns",
    "grows_after": "grows_after_ns",
    "after_fin": "after_fin_ns",
    "after_reset": "after_reset_ns",
    "idle_timeout": "idle_ns",
}
_NOT_A_NUMBER: Final = {"preset", "hosts"}
_AZURE_HOSTS: Final = AZURE_TABLE[-1][0]


class Nat(Mapping):
    """A NAT before the backends, in the model engine; without a value a key is the preset's own."""

    preset: PresetName = Field(description="whose rules and numbers it has")
    hosts: Annotated[Count, Field(le=65_536)] | None = Field(
        default=None,
        description=(
            "hosts that share it, idle ones included; default: as many as there are source "
            "addresses toward the backends, each of which is a host"
        ),
    )
    addresses: Annotated[Count, Field(le=1024)] = Field(
        default=1, description="outer addresses that it has"
    )
    ports: Ports | None = Field(default=None, description="ports of each address")
    per_destination: Annotated[Count, Field(le=65_535)] | None = Field(
        default=None, description="most flows from one address to one destination (on-demand)"
    )
    per_host: Annotated[Count, Field(le=65_535)] | None = Field(
        default=None,
        description=(
            "ports that each host has from the start (preallocated, lent); Azure's go by the "
            "number of hosts unless given, Google's are powers of two"
        ),
    )
    most_per_host: Annotated[Count, Field(le=1 << 20)] | None = Field(
        default=None, description="most ports that one host may have (lent)"
    )
    block: Annotated[Count, Field(le=65_535)] | None = Field(
        default=None, description="ports of a block (lent)"
    )
    ahead: Annotated[Count, Field(le=64)] | None = Field(
        default=None, description="blocks given to a host that asks again (lent)"
    )
    keeps_block: TimeNs | None = Field(
        default=None, description="how long a host keeps a block that it does not use (lent)"
    )
    grows_after: TimeNs | None = Field(
        default=None,
        description="from asking for a block until it is there; meanwhile flows fail (lent)",
    )
    mapping: Literal["destination", "endpoint"] | None = Field(
        default=None,
        description=(
            "`destination`: a port serves one flow toward each destination; `endpoint`: one inner "
            "address and port, whatever the destinations (RFC 4787)"
        ),
    )
    keep_port: Annotated[bool, Field(strict=True)] | None = Field(
        default=None,
        description="whether the inner port is kept where it is free; false is --random-fully "
        "(masquerade)",
    )
    after_fin: TimeNs | None = Field(
        default=None, description="how long a port rests after its flow has closed"
    )
    after_reset: TimeNs | None = Field(
        default=None, description="the same after a reset, and after a connect that failed"
    )
    table: Count | None = Field(
        default=None,
        description="most flows tracked at once, resting ones included (on-demand, masquerade)",
    )
    cores: Annotated[Count, Field(le=256)] | None = Field(
        default=None, description="cores that share its addresses and no port (full-nat)"
    )
    idle_timeout: Annotated[TimeNs, Field(gt=0)] | None = Field(
        default=None,
        description="a flow silent for so long is forgotten; longer silence is not modelled",
    )

    @model_validator(mode="after")
    def _fits(self) -> Nat:
        base = PRESETS[self.preset]
        unused = sorted((self._given() & _SOME) - _KEYS[base.kind])
        if unused:
            raise about(unused[0], f"is not used by {self.preset}, which is {base.kind}; delete it")
        most = MOST_ADDRESSES.get(self.preset)
        if most is not None and self.addresses > most:
            raise about("addresses", f"is {self.addresses}; {self.preset} has at most {most}")
        self._powers_fit(base)
        rule = self.rule
        limits = {
            "per_host": rule.per_host or 1,
            "block": rule.block if rule.kind == "lent" else 1,
            "cores": rule.cores,
        }
        for key, value in limits.items():
            if value > len(rule.ports):
                raise about(key, f"is {value}, more than the {len(rule.ports)} ports of an address")
        if rule.kind == "lent":
            self._blocks_fit(rule)
        return self

    def _powers_fit(self, base: NatRule) -> None:
        if not base.preset.startswith("google"):
            return
        for key in ("per_host", "most_per_host"):
            value = getattr(self, key)
            if value is not None and value & (value - 1):
                better = 1 << value.bit_length()
                raise about(key, f"is {value}; Google deals powers of two: write {better}")
        if base.growth == "double" and self.block is not None:
            raise about("block", "is what per_host says where ports double; give per_host")

    def _blocks_fit(self, rule: NatRule) -> None:
        if rule.most_per_host is not None and rule.most_per_host < rule.block:
            key = "most_per_host" if self.most_per_host is not None else "block"
            what = f"a host's most is {rule.most_per_host}, less than a block of {rule.block}"
            raise about(key, what)
        if rule.per_host is not None and rule.per_host % rule.block:
            what = f"is {rule.per_host}, which is no whole number of blocks of {rule.block}"
            raise about("per_host", what)

    def _given(self) -> set[str]:
        return {name for name in type(self).model_fields if getattr(self, name) is not None}

    @property
    def rule(self) -> NatRule:
        """The preset's rule with what was given instead of its own numbers."""
        changes: dict[str, Any] = {
            _ATTRIBUTE.get(name, name): getattr(self, name)
            for name in self._given() - _NOT_A_NUMBER
        }
        base = PRESETS[self.preset]
        if base.growth == "double" and self.per_host is not None:
            changes["block"] = self.per_host
        return replace(base, **changes)


def nat_hosts(scenario: Scenario) -> int:
    """Hosts that share a scenario's NAT; 0 without one."""
    if scenario.nat is None:
        return 0
    return scenario.nat.hosts or dialing_hosts(scenario)


def dialing_hosts(scenario: Scenario) -> int:
    """Source addresses that dial the backends, each of which is a host of a NAT."""
    has_balancer = scenario.balancer.driver != "none"
    part = scenario.balancer if has_balancer else scenario.clients
    return part.source.addresses


def nat_fits(scenario: Scenario) -> list[tuple[str, str]]:
    """What a NAT cannot serve; path and message of each."""
    nat = scenario.nat
    if nat is None:
        return []
    hosts, dialing = nat_hosts(scenario), dialing_hosts(scenario)
    if hosts < dialing:
        what = f"is {hosts}, less than the {dialing} source addresses toward the backends"
        return [("nat.hosts", what)]
    if nat.preset == "azure-load-balancer" and nat.per_host is None and hosts > _AZURE_HOSTS:
        key = "nat.hosts" if nat.hosts is not None else "nat.preset"
        return [(key, f"has {hosts} hosts; Azure's table ends at {_AZURE_HOSTS}: give per_host")]
    return []
