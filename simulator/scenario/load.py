"""Read a scenario file: bounded, typed, and every error at once.

Order of precedence, lowest first: defaults, the file, a variant's changes, ``--set`` flags in the
order given, ``--seed``.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from simulator.errors import ScenarioError
from simulator.scenario.check import check
from simulator.scenario.complaint import (
    Complaint,
    Place,
    ScenarioComplaintsError,
    Source,
    printable,
)
from simulator.scenario.config_file import read_configs
from simulator.scenario.document import (
    MAX_BYTES,
    Entry,
    Scalar,
    Tree,
    decode,
    plain,
    read_document,
)
from simulator.scenario.override import Change, apply, read_flag
from simulator.scenario.trace_file import Trace, read_traces
from simulator.slugs import slug

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from simulator.scenario.schema import Scenario


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """The same scenario with other values.

    Attributes:
        name: as in the file.
        slug: the name as part of a path, ``[a-z0-9-]{1,64}``.
        changes: path to value, as in the file.
        scenario: the whole scenario of this variant; it has no variants itself.
    """

    name: str
    slug: str
    changes: Mapping[str, Any]
    scenario: Scenario


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """A scenario file as read and checked.

    Attributes:
        name: the file's name as given.
        slug: the name as part of a path, ``[a-z0-9-]{1,64}``.
        text: the file as given, without a byte order mark.
        scenario: the base scenario, flags applied.
        variants: in the order of the file; when there are any, they are run and the base is not.
        traces: the trace files that any of them names, by name.
        configs: the configurations of balancers that any of them names, by name.
    """

    name: str
    slug: str
    text: str
    scenario: Scenario
    variants: tuple[Variant, ...]
    traces: Mapping[str, Trace] = field(default_factory=dict)
    configs: Mapping[str, str] = field(default_factory=dict)


def load_file(
    path: Path | str,
    *,
    overrides: Sequence[str] = (),
    seed: int | None = None,
    only: str | None = None,
) -> Loaded:
    """Read and check a scenario file.

    Args:
        path: the file.
        overrides: ``path=value`` texts of ``--set``, later ones win.
        seed: replaces the file's seed.
        only: the one variant that is wanted, where the file has it; others are left out unread,
            so that what a flag makes impossible for them does not matter.

    Raises:
        ScenarioError: the file cannot be read, or anything in it is wrong; all of it is named.
    """
    try:
        with Path(path).open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise ScenarioError(f"{printable(str(path))}: cannot be read: {reason}") from None
    text = decode(data, str(path))
    loaded = load_text(text, str(path), overrides=overrides, seed=seed, only=only)
    scenarios = [variant.scenario for variant in loaded.variants] or [loaded.scenario]
    folder = Path(path).parent
    configs = read_configs(folder, scenarios)
    return replace(loaded, traces=read_traces(folder, scenarios), configs=configs)


def load_text(
    text: str,
    name: str,
    *,
    overrides: Sequence[str] = (),
    seed: int | None = None,
    only: str | None = None,
) -> Loaded:
    """Read and check the text of a scenario; `name` is what errors call it.

    Traces are not read: a text has no folder.

    Raises:
        ScenarioError: anything in it is wrong; all of it is named.
    """
    complaints: list[Complaint] = []
    root = read_document(text, name, complaints)
    if not isinstance(root, Tree):
        place = Place(source=Source(name=name, lines=text.split("\n")), line=1, column=1)
        message = "is empty" if root is None else "is not a mapping"
        message += "; a scenario begins with 'title: ...' and needs 'traffic:'"
        raise ScenarioComplaintsError([Complaint(place=place, path="", message=message)])
    flags = _flags(overrides, seed, complaints)
    base = _changed(root, flags, complaints)
    scenario = check(base, complaints)
    variants = _variants(base, flags, complaints, only)
    if complaints or scenario is None:
        raise ScenarioComplaintsError(complaints)
    return Loaded(
        name=name,
        slug=slug(Path(name).stem),
        text=text,
        scenario=scenario,
        variants=tuple(variants),
    )


def _flags(overrides: Sequence[str], seed: int | None, complaints: list[Complaint]) -> list[Change]:
    changes: list[Change] = []
    for text in overrides:
        try:
            change = read_flag(text, complaints)
        except ScenarioComplaintsError as error:
            complaints.extend(error.complaints)
            continue
        if change is not None:
            changes.append(change)
    if seed is not None:
        at = Place(source=Source(name="--seed", lines=[str(seed)]), line=1, column=1)
        node = Scalar(at=at, value=seed, text=str(seed))
        changes.append(Change(path="seed", at=at, node=node))
    return changes


def _changed(root: Tree, changes: Sequence[Change], complaints: list[Complaint]) -> Tree:
    for change in changes:
        try:
            root = apply(root, change)
        except ScenarioComplaintsError as error:
            complaints.extend(error.complaints)
    return root


def _variants(
    base: Tree, flags: Sequence[Change], complaints: list[Complaint], only: str | None
) -> list[Variant]:
    """Each variant's scenario; the flags are set again after its changes, since they win."""
    entry = base.entries.get("variants")
    if entry is None or not isinstance(entry.node, Tree):
        return []
    bare = Tree(at=base.at, entries=_without_variants(base))
    again = [flag for flag in flags if flag.path.split(".")[0] != "variants"]
    variants: list[Variant] = []
    slugs: dict[str, str] = {}
    for name, variant in entry.node.entries.items():
        made = slug(name)
        if made in slugs:
            message = f"is too like the name {slugs[made]}; rename one of them"
            path = f"variants.{name}"
            complaints.append(Complaint(place=variant.at, path=path, message=message))
        slugs[made] = name
        is_wanted = only is None or only == name or only not in entry.node.entries
        if not is_wanted or not isinstance(variant.node, Tree):
            continue
        changes = [
            Change(path=path, at=change.at, node=change.node)
            for path, change in variant.node.entries.items()
        ]
        tree = _changed(bare, [*changes, *again], complaints)
        scenario = check(tree, complaints)
        if scenario is not None:
            written = {change.path: plain(change.node) for change in changes}
            variants.append(Variant(name=name, slug=made, changes=written, scenario=scenario))
    return variants


def _without_variants(base: Tree) -> dict[str, Entry]:
    return {key: entry for key, entry in base.entries.items() if key != "variants"}


def resolved(scenario: Scenario) -> dict[str, Any]:
    """The scenario with every default written out, in the words of a file: JSON-ready.

    ``Scenario.model_validate(resolved(scenario)) == scenario``.
    """
    return scenario.model_dump(mode="json", by_alias=True, exclude_none=True)
