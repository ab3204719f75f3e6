"""Lines about a DNS resolver: where its questions came from, what it refused, what a forger got."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from simulator.report.safe_text import DASH, safe
from simulator.units import format_count

Table = Mapping[str, Any]
#: Robbed services that are named; all of them stand in the summary.
_NAMED = 8
_REFUSED = (
    ("refused_id", "no open question on that port has that ID"),
    ("refused_address", "from another server"),
    ("refused_question", "to another question"),
    ("refused_malformed", "malformed"),
)


def _part(table: Table, name: str) -> Table:
    found = table.get(name)
    return found if isinstance(found, Mapping) else {}


def _count(table: Table, name: str) -> str:
    value = table.get(name)
    return format_count(value) if isinstance(value, int) else DASH


def _number(table: Table, name: str, form: str) -> str:
    value = table.get(name)
    return format(value, form) if isinstance(value, int | float) else DASH


def dns_lines(summary: Table) -> list[str]:
    """The lines of a `portchurn.summary/1` object; none where there was no resolver."""
    dns = _part(summary, "dns")
    if not dns:
        return []
    pool, seen = _part(dns, "pool"), _part(dns, "observed")
    expected = seen.get("ports_expected")
    due = f", {expected:,.0f} expected" if isinstance(expected, int | float) else ""
    ports = safe(pool.get("range") or DASH, 16)
    lines = [
        (
            f"pool      {_count(pool, 'size')} of {_count(pool, 'usable')} ports of {ports}, "
            f"{_count(pool, 'seen_by_kernel')} of them in the kernel's table, "
            f"{_count(pool, 'lost_races')} drawn that others had"
        ),
        (
            f"observer  {_count(seen, 'questions')} questions from {_count(seen, 'ports')} "
            f"distinct ports{due}, {_count(seen, 'pairs')} pairs of port and ID"
        ),
        (
            f"asked     {_count(dns, 'asked')}, answered {_count(dns, 'answered')}, "
            f"{_count(dns, 'timeouts')} timed out, {_count(dns, 'retries')} asked again, "
            f"{_count(dns, 'cached')} from the cache"
        ),
    ]
    refused = [f"{_count(dns, name)} {why}" for name, why in _REFUSED if dns.get(name)]
    if refused:
        lines.append(f"refused   {'; '.join(refused)}")
    return [*lines, *_forger_lines(_part(dns, "forgery")), *_stolen(dns)]


def _forger_lines(forged: Table) -> list[str]:
    if not forged:
        return []
    believed, received = _count(forged, "believed"), _count(forged, "received")
    product = " x ".join(_count(forged, name) for name in ("servers", "ports", "idents"))
    formula = f"{_count(forged, 'questions')} x {_number(forged, 'within', '.3g')} / ({product})"
    expected = f"{_number(forged, 'expected', '.1f')} expected: {formula}"
    return [f"forger    {believed} believed of {received} forged answers, {expected}"]


def _stolen(dns: Table) -> list[str]:
    if not dns.get("stolen"):
        return []
    told = dns.get("robbed")
    robbed = [safe(one, 32) for one in told] if isinstance(told, list) else []
    more = f" and {format_count(len(robbed) - _NAMED)} more" if len(robbed) > _NAMED else ""
    which = f": {', '.join(robbed[:_NAMED])}{more}" if robbed else ""
    return [f"damage    {_count(dns, 'stolen')} services found their port in the pool{which}"]


def dns_cells(summary: Table) -> dict[str, str]:
    """Title -> cell of the table that sets variants side by side; a dash for what there was not."""
    dns = _part(summary, "dns")
    forged = _part(dns, "forgery")
    return {
        "ports that servers saw": _count(_part(dns, "observed"), "ports"),
        "forged answers believed": _count(forged, "believed"),
        "forged answers expected": _number(forged, "expected", ".1f"),
        "ports taken by the pool": _count(dns, "stolen"),
    }
