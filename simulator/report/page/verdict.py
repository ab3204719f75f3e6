"""The top of a run's page: the verdict, four numbers at a glance, remedies and thresholds."""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING, Any, Final

from simulator.report.page.escape import text
from simulator.report.page.parts import Section, facts, folded, listing, paragraph, table
from simulator.report.safe_text import DASH
from simulator.report.summary_text import (
    number,
    part,
    remedy_words,
    rows,
    threshold_value,
)
from simulator.report.trust_box import limits_line, measured_line, valid_line
from simulator.units import format_count

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from simulator.measure.series import Series

_NOTHING: Final = frozenset({"ok", "no-connection"})


def verdict_box(summary: Mapping[str, Any], series: Series | None = None, lead: str = "") -> str:
    """The verdict's sentence and what a tired reader asks next, as markup.

    Args:
        summary: of one run.
        series: the run over time, for how full the budget usually was.
        lead: said before it, of a run that was cut short.
    """
    verdict = part(summary, "verdict")
    sentence = verdict.get("sentence") or "No verdict: the run has no summary."
    kind = "verdict ok" if verdict.get("code") == "ok" else "verdict"
    doubt = ""
    if summary.get("valid") is False:
        doubt = paragraph("The measurement is not valid: see the doubts below.", "doubt")
    tiles = "".join(
        f"<div><dt>{text(name)}</dt><dd>{text(value)}</dd></div>"
        for name, value in glance(summary, series)
    )
    before = paragraph(lead, "doubt") if lead else ""
    return (
        f'<div class="{kind}" role="status">{before}<p class="say">{text(sentence)}</p>{doubt}'
        f'</div><dl class="glance">{tiles}</dl>'
    )


def glance(summary: Mapping[str, Any], series: Series | None) -> Iterator[tuple[str, str]]:
    """What ran out, when, how full the budget usually was, what failed."""
    verdict, attempts = part(summary, "verdict"), part(summary, "attempts")
    hop = telling_hop(summary)
    ran_out = hop.get("exhausted_at_s")
    if ran_out is not None:
        yield "What ran out", f"source ports, {hop.get('name')}"
    else:
        code = str(verdict.get("code") or "unknown")
        yield "What ran out", "nothing" if code == "ok" else code.replace("-", " ")
    yield "When", number(ran_out, lambda s: f"after {s:.1f} s") if ran_out is not None else "never"
    budget = hop.get("budget")
    if isinstance(budget, int) and budget:
        usual = _usual(series, str(hop.get("name")))
        peak = number(hop.get("in_use_peak"), lambda n: _share(n, budget))
        normal = f"{_share(usual, budget)} usual, " if usual is not None else ""
        yield f"Of {format_count(budget)} tuples in use", f"{normal}{peak} at most"
    sent, failed = attempts.get("sent"), attempts.get("failed")
    if isinstance(sent, int) and isinstance(failed, int) and sent:
        yield "Connections failed", f"{_share(failed, sent)} of {format_count(sent)}"


def _share(amount: float, whole: float) -> str:
    share = 100 * amount / whole
    if 99 < share < 100:  # nearly all is not all
        return f"{min(share, 99.9):.1f} %"
    return f"{share:.0f} %" if share >= 10 or not share else f"{share:.2g} %"


def telling_hop(summary: Mapping[str, Any]) -> Mapping[str, Any]:
    """The hop that the verdict names, else the one that came nearest to its wall."""
    found = [hop for hop in rows(summary, "hops") if hop.get("budget")]
    named = part(summary, "verdict").get("hop")
    for hop in found:
        if hop.get("name") == named:
            return hop
    return max(found, key=lambda hop: (hop.get("in_use_peak") or 0) / hop["budget"], default={})


def _usual(series: Series | None, hop: str) -> float | None:
    """The median of the tuples in use over all samples."""
    if series is None or hop not in series.hops:
        return None
    known = [one for one in series.hops[hop]["in_use"] if one is not None]
    return median(known) if known else None


def remedies(summary: Mapping[str, Any]) -> Section:
    """What to change, with what each change would gain; and the scenario's own thresholds."""
    verdict = part(summary, "verdict")
    found = verdict.get("remedies")
    words = [remedy_words(one) for one in found] if isinstance(found, list) else []
    is_ok = verdict.get("code") in _NOTHING
    body = listing(words, ordered=True)
    checks = "".join(_check(row, valid=summary.get("valid")) for row in rows(summary, "thresholds"))
    if checks:
        body += f'<h3>Thresholds of the scenario</h3><ul class="checks">{checks}</ul>'
    title = "How far it is to the wall" if is_ok else "What to change"
    return Section(name="change", title=title, body=body)


def _check(row: Mapping[str, Any], *, valid: object) -> str:
    holds = row.get("holds")
    kind = "unsure" if holds is None or (holds and valid is False) else "breaks"
    kind = "holds" if holds and kind != "unsure" else kind
    aside = " (not counted: the measurement is not valid)" if holds and kind == "unsure" else ""
    said = f"{row.get('text')}, measured {threshold_value(row)}{aside}"
    word = {"holds": "holds", "breaks": "does not hold", "unsure": "not judged"}[kind]
    return f'<li class="{kind}">{text(said)} <em>{word}</em></li>'


def trust(summary: Mapping[str, Any]) -> Section:
    """How far the numbers may be trusted: what was measured, doubts, limits."""
    valid = summary.get("valid")
    label = "VALID" if valid else ("NOT VALID" if valid is False else "VALID ?")
    lines = (
        ("MEASURED", measured_line(summary)),
        (label, valid_line(summary)),
        ("LIMITS", limits_line(summary)),
    )
    body = "".join(
        f"<div><dt><strong>{text(name)}</strong></dt><dd>{text(said)}</dd></div>"
        for name, said in lines
    )
    body = f'<dl class="facts">{body}</dl>'
    body += facts([("CPU of a core", _cpu(summary))])
    counts = _counts(summary)
    if counts:
        row = ["connections", *(number(count, format_count) for _, count in counts)]
        body += table("Sent against planned", ("", *(name for name, _ in counts)), [row])
    doubts = [_doubt(row) for row in rows(summary, "doubts")]
    if doubts:
        body += "<h3>Doubts</h3>" + listing(doubts)
    notes = summary.get("notes")
    if isinstance(notes, list) and notes:
        body += folded("Notes", listing(map(str, notes)))
    return Section(name="trust", title="How far to trust it", body=body)


def _cpu(summary: Mapping[str, Any]) -> str:
    """How much of one core each role took; a generator that is short of it measures itself."""
    names = {"client": "generator", "balancer": "balancer", "backend": "backends"}
    cpu = part(summary, "cpu")
    shares = {name: cpu.get(f"{role}_share") for role, name in names.items()}
    shares["sampler"] = cpu.get("sampler_share")
    told = {name: number(share, lambda s: f"{100 * s:.0f} %") for name, share in shares.items()}
    return " · ".join(f"{name} {share}" for name, share in told.items() if share != DASH)


def _doubt(row: Mapping[str, Any]) -> str:
    remedy = f" → {row['remedy']}" if row.get("remedy") else ""
    return f"{row.get('code')}: {row.get('message')}{remedy}"


def _counts(summary: Mapping[str, Any]) -> list[tuple[str, int]]:
    """What became of the plan, in the order in which a connection gets there."""
    attempts = part(summary, "attempts")
    keys = ("planned", "sent", "ok", "failed", "open_at_end")
    found = [(key.replace("_", " "), attempts[key]) for key in keys if key in attempts]
    why = part(summary, "attempts", "not_sent")
    return found + [(f"not sent: {reason}", count) for reason, count in why.items() if count]
