"""What tests of the live engine share: the same promises, held by two data paths."""

from __future__ import annotations

import pytest

from tests.support import relay_process


@pytest.fixture(params=["python", "compiled"])
def both_data_paths(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run a test once with each data path of the plain relay."""
    monkeypatch.setattr(relay_process, "compiled_by_default", request.param == "compiled")
