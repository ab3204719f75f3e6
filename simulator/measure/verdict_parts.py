"""The form of a verdict, and the words that all verdicts share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from simulator.units import NS_PER_S

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from simulator.measure.evidence import Evidence

#: A role as the subject of a sentence.
SUBJECT: Final = {
    "balancer": "The balancer",
    "sidecar": "The sidecar",
    "client": "The clients",
    "backend": "A backend",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What a run says.

    Attributes:
        code: one of `scenario.thresholds.VERDICTS`.
        hop: the hop it speaks of, None for the whole run.
        sentence: the finding.
        remedies: what would mend it, most gain first, each with its arithmetic.
        evidence: the numbers behind the sentence.
    """

    code: str
    hop: str | None
    sentence: str
    remedies: Sequence[str]
    evidence: Mapping[str, Any]

    def as_dict(self) -> dict[str, Any]:
        """The form in a summary."""
        return {
            "code": self.code,
            "hop": self.hop,
            "sentence": self.sentence,
            "remedies": list(self.remedies),
            "evidence": dict(self.evidence),
        }


def percent(share: float) -> str:
    """A share as people read it; a tiny one keeps its first two digits."""
    if 0 < share < 0.001:
        return f"{100 * share:.2g} %"
    return f"{100 * share:.1f} %"


def seconds(moment_ns: int | None) -> str:
    """`` after 1.9 s``, or nothing where there is no moment."""
    return "" if moment_ns is None else f" after {moment_ns / NS_PER_S:.1f} s"


def cost_text(evidence: Evidence, code: str) -> str:
    """What a cause cost: the share of connections that failed, and their errors."""
    names = ", ".join(evidence.error_names(code)[:2])
    return f"{percent(evidence.share(code))} of connections failed{f' ({names})' if names else ''}"


def top_hop(evidence: Evidence, code: str) -> str:
    """The hop on which most connections of a cause failed; the clients' own where none did."""
    total: dict[str, int] = {}
    for key, count in evidence.errors.get(code, {}).items():
        hop = key.partition("/")[0]
        total[hop] = total.get(hop, 0) + count
    return max(total, key=lambda hop: total[hop], default=next(iter(evidence.hops)))
