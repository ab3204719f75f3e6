"""What is kept beside a run of the kernel when the model ran the same plan, and how well it did."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from simulator.store.layout import AGREEMENT, MANIFEST, is_run_id
from simulator.store.read import read_json
from simulator.store.write import write_durably

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

_SCHEMA: Final = "portchurn.agreement/1"


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptAgreement:
    """The folder of the model's run, and a mapping for each series (`measure.agreement`)."""

    model: Path
    rows: tuple[Mapping[str, Any], ...]


def keep_agreement(folder: Path, model: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write down that two runs belong together.

    Args:
        folder: the kernel's run.
        model: the model's run, in the same folder of runs.
        rows: the error of each series.

    Raises:
        OSError: the disk would not take it.
    """
    told = {"schema": _SCHEMA, "model": model.name, "series": list(rows)}
    write_durably(folder, AGREEMENT, json.dumps(told, indent=1).encode() + b"\n")


def read_agreement(folder: Path) -> KeptAgreement | None:
    """What `keep_agreement` wrote; None when nothing was, or the model's run is gone.

    Raises:
        ResultsIncomplete: the file is damaged.
    """
    path = folder / AGREEMENT
    if not path.exists():
        return None
    told = read_json(path)
    name, rows = told.get("model"), told.get("series")
    if not isinstance(name, str) or not is_run_id(name) or not isinstance(rows, list):
        return None
    model = folder.parent / name
    if not (model / MANIFEST).is_file():
        return None
    return KeptAgreement(model=model, rows=tuple(row for row in rows if isinstance(row, dict)))
