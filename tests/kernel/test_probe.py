"""The probe tries things for real, and sees what is really refused."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

from simulator.kernel.probe import TRIES

PROBE = [sys.executable, "-m", "simulator.kernel.probe"]


def probed(*command: str) -> dict[str, Any]:
    """What the probe prints."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    found = json.loads(done.stdout)
    assert isinstance(found, dict)
    return found


def limited(*lines: str) -> list[str]:
    """A command that runs the probe in a user namespace whose own limits are set first."""
    script = "; ".join(lines) + f"; exec {' '.join(PROBE)}"
    return ["unshare", "--user", "--map-root-user", "sh", "-ec", script]


@pytest.mark.namespace
def test_each_try_is_made_as_the_init_of_a_namespace() -> None:
    found = probed(*PROBE)
    assert found["mode"] in ("user", "root")
    assert found["init"] is True
    assert sorted(found["tries"]) == sorted(TRIES)
    # What every supported kernel has; the others may be missing on an older one.
    for name in ("settings", "late-bind", "sock-diag", "addresses"):
        assert found["tries"][name] == "", name


@pytest.mark.namespace
def test_where_user_namespaces_are_used_up_root_is_taken() -> None:
    found = probed(*limited("echo 0 > /proc/sys/user/max_user_namespaces"))
    assert found["mode"] == "root"
    assert found["tries"]["sock-diag"] == ""


@pytest.mark.namespace
def test_where_no_network_namespace_can_be_made_the_refusal_says_so() -> None:
    found = probed(
        *limited(
            "echo 0 > /proc/sys/user/max_user_namespaces",
            "echo 0 > /proc/sys/user/max_net_namespaces",
        )
    )
    assert found["mode"] == ""
    assert "namespace" in found["refusal"]
    assert found["tries"] == {}
