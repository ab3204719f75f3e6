"""The page of a scenario's variants: each world beside the others, on the same axes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from simulator.errors import UsageError
from simulator.report.page.document import document, library, library_name
from simulator.report.page.escape import text
from simulator.report.page.parts import Section, folded, paragraph, table
from simulator.report.page.together import chart_sections, named, worlds
from simulator.report.page.writing import write_whole
from simulator.report.safe_text import DASH
from simulator.report.stored import stored
from simulator.report.summary_text import number, part, rows
from simulator.report.variants_text import comparison
from simulator.slugs import slug
from simulator.store.read import entry
from simulator.store.runs_below import folders_in
from simulator.units import format_count

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from simulator.report.page.together import Named
    from simulator.report.stored import Stored
    from simulator.store.read import Entry

#: In the folder of a scenario, beside its runs.
VARIANTS: Final = "variants.html"


def variants_page(found: Sequence[Stored], *, shared: str | None = None) -> str:
    """The page of several variants as text.

    Args:
        found: one run of each variant, in the scenario's order.
        shared: relative address of the chart script; None = inside the page.
    """
    runs = [_named(one) for one in found]
    first = found[0].run.manifest
    scenario = part(first, "scenario_resolved")
    title = str(first.get("title", ""))
    sections = [
        Section(name="lesson", title="The lesson", body=prose(scenario.get("lesson"))),
        Section(name="worlds", title="What happened", body=_in_words(runs) + worlds(runs)),
        *chart_sections(runs),
        Section(name="table", title="Side by side", body=_side_by_side(runs)),
        Section(name="expect", title="What was expected", body=prose(scenario.get("expect"))),
    ]
    under = " · ".join(str(one.run.manifest.get("id")) for one in found)
    lead = f"<h1>{text(title)}</h1>{paragraph(under, 'under')}"
    return document(title, lead, sections, shared=shared)


def _named(one: Stored) -> Named:
    name = str(one.run.manifest.get("variant") or "as it stands")
    return named(name, slug(name), one)


def prose(told: object) -> str:
    """Text of a scenario file as paragraphs, which blank lines part; "" for none."""
    if not isinstance(told, str):
        return ""
    parts = (" ".join(one.split()) for one in told.replace("\r", "").split("\n\n"))
    return "".join(paragraph(one) for one in parts if one)


def _in_words(runs: Sequence[Named]) -> str:
    return "".join(paragraph(f"{one.name}: {arithmetic(one.found.summary)}") for one in runs)


def arithmetic(summary: Mapping[str, Any]) -> str:
    """How many were served, by how many ports, and how often each was used again."""
    attempts = part(summary, "attempts")
    ok, planned = (number(attempts.get(key), format_count) for key in ("ok", "planned"))
    sentences = [f"{ok} of {planned} connections were served."]
    opened = part(summary, "connections").get("opened")
    for hop in rows(summary, "hops"):
        ports, budget = hop.get("distinct_ports"), hop.get("budget")
        if isinstance(ports, int) and isinstance(budget, int) and ports and budget:
            sentences.append(_of_hop(hop, ports, budget, opened))
    return " ".join(sentences)


def _of_hop(hop: Mapping[str, Any], ports: int, budget: int, opened: object) -> str:
    told = f"On {hop.get('name')} {format_count(ports)} different ports were used"
    if isinstance(opened, int):
        told += f", so that each carried {opened / ports:.1f} connections"
    peak = hop.get("in_use_peak")
    if isinstance(peak, int):
        share = f"{100 * peak / budget:.3g} %"
        told += (
            f"; at most {format_count(peak)} of the {format_count(budget)} tuples toward one "
            f"destination were in use at a time ({share})"
        )
    return f"{told}."


def _side_by_side(runs: Sequence[Named]) -> str:
    summaries = [one.found.summary for one in runs]
    cells = [
        (title, *values)
        for title, values in comparison(summaries)
        if any(value != DASH for value in values)
    ]
    commands = "".join(_command(one) for one in runs)
    shown = table("Variants", ("", *(one.name for one in runs)), cells)
    return shown + folded("The folders of these runs", commands)


def _command(one: Named) -> str:
    return paragraph(f"{one.name}: {one.found.folder}")


def newest_of_each(folder: Path) -> list[Path]:
    """The newest complete run of each variant in a scenario's folder, in the order they were run.

    Raises:
        UsageError: there are fewer than two.
    """
    newest: dict[str, Entry] = {}
    for one in map(entry, folders_in(folder)):
        older = newest.get(one.variant)
        if one.status == "complete" and one.variant and (older is None or _is_later(one, older)):
            newest[one.variant] = one
    if len(newest) < 2:
        raise UsageError(f"{folder} holds no complete runs of two variants")
    return [one.path for one in sorted(newest.values(), key=lambda one: (one.started, one.run_id))]


def _is_later(one: Entry, other: Entry) -> bool:
    return (one.started, one.run_id) > (other.started, other.run_id)


def write_variants_page(folders: Sequence[Path], *, shared: bool = False) -> Path:
    """Write ``variants.html`` into the folder of the scenario whose runs these are.

    Args:
        folders: one run of each variant, in the scenario's order.
        shared: put the chart script beside the page instead of into it.

    Raises:
        UsageError: one is no run.
        ResultsIncomplete: records are damaged.
        OSError: the disk would not take it.
    """
    place = folders[0].parent
    if shared and not (place / library_name()).exists():
        write_whole(place / library_name(), library())
    address = library_name() if shared else None
    page = variants_page([stored(folder) for folder in folders], shared=address)
    write_whole(place / VARIANTS, page)
    return place / VARIANTS
