"""Two relays in a row on the real kernel: whichever hop runs out, the errors are counted there."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.command import SCENARIOS, portchurn, run_json

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.namespace, pytest.mark.slow, pytest.mark.alone]


def test_a_wall_of_the_balancer_is_named_through_the_sidecar(tmp_path: Path) -> None:
    changes = ["sidecar.source.addresses=4", "backends.count=1", "traffic.0.for=3s"]
    sets = [word for change in changes for word in ("--set", change)]
    _, (summary,) = run_json(SCENARIOS / "sidecar.yaml", *sets, "--results", tmp_path / "results")
    attempts = summary["attempts"]
    # The sidecar has 800 tuples and the balancer 200: each failure began two relays away.
    assert set(attempts["errors"]) == {"balancer-backend/connect/EADDRNOTAVAIL"}
    assert attempts["failed"] == summary["attributed"] > 50
    assert (summary["verdict"]["code"], summary["verdict"]["hop"]) == (
        "balancer-source-ports",
        "balancer-backend",
    )
    assert attempts["planned"] == attempts["sent"] == attempts["ok"] + attempts["failed"]


def test_serve_has_no_clients_for_a_sidecar_to_stand_beside() -> None:
    done = portchurn("serve", SCENARIOS / "sidecar.yaml")
    assert done.code == 2
    assert "has a sidecar" in done.err
