"""The scenario reference in docs is the one the models write now."""

from __future__ import annotations

from simulator.scenario.phases import Phase
from simulator.scenario.reference import reference
from simulator.scenario.schema import Kernel, Scenario
from tests.support.command import ROOT


def test_the_reference_in_docs_is_current() -> None:
    written = (ROOT / "docs" / "scenario.md").read_text()
    assert written == "\n".join(reference()) + "\n", (
        "run: python -m simulator.scenario.reference > docs/scenario.md"
    )


def test_every_key_has_its_line_and_its_meaning() -> None:
    text = "\n".join(reference())
    for model in (Scenario, Kernel, Phase):
        for name, field in model.model_fields.items():
            assert field.description, f"{model.__name__}.{name} has no description"
            assert f"| `{field.alias or name}` | " in text
