"""What a NAT may have more of, or be instead, for a plan that meets a goal."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from simulator.ports.nat.presets import MOST_ADDRESSES
from simulator.preflight.nat import ends_by_table, size_of
from simulator.scenario.nat import nat_hosts

if TYPE_CHECKING:
    from collections.abc import Iterator

    from simulator.scenario.nat import Nat
    from simulator.scenario.schema import Scenario

_MOST_ADDRESSES: Final = 256
_LARGEST_TABLE: Final = 1 << 24
#: Another product of the same vendor that shares ports better, by preset.
INSTEAD: Final = {
    "azure-load-balancer": "azure-nat-gateway",
    "google-cloud-nat": "google-cloud-nat-dynamic",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class NatKnob:
    """One number of a NAT that may be larger.

    Attributes:
        kind: ``nat-addresses``, ``nat-ports`` or ``nat-table``.
        key: of the scenario, below ``nat``.
        low, high: as it stands, and the most that may be had; exponents of 2 where `by_power`.
        by_power: whether the vendor deals in powers of two.
        word: what is counted.
    """

    kind: str
    key: str
    low: int
    high: int
    by_power: bool
    word: str

    def value(self, amount: int) -> int:
        """The number that an amount stands for."""
        return 1 << amount if self.by_power else amount

    def sets(self, amount: int) -> tuple[str, ...]:
        """The same as ``--set`` takes it."""
        return (f"nat.{self.key}={self.value(amount)}",)

    def shown(self, amount: int) -> str:
        """The same for people."""
        value = self.value(amount)
        word = self.word if value != 1 else self.word.replace("addresses", "address")
        return f"{value:,} {word}"


def nat_knobs(scenario: Scenario) -> Iterator[NatKnob]:
    """The numbers of a scenario's NAT that its owner can raise."""
    nat = scenario.nat
    if nat is None:
        return
    if ends_by_table(scenario) and nat.rule.kind == "masquerade":
        yield NatKnob(
            kind="nat-table",
            key="table",
            low=nat.rule.table or 1,
            high=_LARGEST_TABLE,
            by_power=False,
            word="rows of its table",
        )
    yield NatKnob(
        kind="nat-addresses",
        key="addresses",
        low=nat.addresses,
        high=MOST_ADDRESSES.get(nat.preset, _MOST_ADDRESSES),
        by_power=False,
        word="addresses of the NAT",
    )
    yield from _ports(scenario, nat)


def _ports(scenario: Scenario, nat: Nat) -> Iterator[NatKnob]:
    """Ports of one host, where a host has ports of its own."""
    rule = nat.rule
    by_power = nat.preset.startswith("google")
    if rule.kind == "preallocated":
        key, now = "per_host", size_of(scenario, nat).ports
        most = len(rule.ports) // -(-nat_hosts(scenario) // nat.addresses)
    elif rule.kind == "lent" and rule.most_per_host is not None:
        key, now, most = "most_per_host", rule.most_per_host, len(rule.ports) * nat.addresses
    else:
        return
    low, high = (now.bit_length() - 1, most.bit_length() - 1) if by_power else (now, most)
    if high > low:
        yield NatKnob(
            kind="nat-ports", key=key, low=low, high=high, by_power=by_power, word="ports a host"
        )
