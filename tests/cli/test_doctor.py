"""`portchurn doctor` as a user calls it."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest
from click.testing import CliRunner

from simulator.cli.doctor import command

CANNOT = (
    "echo 0 > /proc/sys/user/max_user_namespaces; echo 0 > /proc/sys/user/max_net_namespaces; "
    f"exec {sys.executable} -m simulator doctor "
)


@pytest.mark.namespace
def test_each_line_says_state_and_meaning_and_the_exit_code_is_0_here() -> None:
    result = CliRunner().invoke(command, [])
    assert result.exit_code == 0, result.output
    assert "ok       namespaces" in result.output or "limited  namespaces" in result.output
    assert "Scenarios can run here." in result.output


@pytest.mark.namespace
def test_json_holds_the_same_checks() -> None:
    result = CliRunner().invoke(command, ["--output", "json"])
    found: dict[str, Any] = json.loads(result.output)
    assert found["can_run"] is True
    assert {"name", "state", "found", "meaning", "mend", "needed"} == set(found["checks"][0])


@pytest.mark.namespace
@pytest.mark.parametrize("output", ["text", "json"])
def test_where_no_namespace_can_be_made_the_exit_code_is_3_and_the_mend_is_named(
    output: str,
) -> None:
    done = subprocess.run(
        ["unshare", "--user", "--map-root-user", "sh", "-ec", f"{CANNOT} --output {output}"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 3, done.stdout + done.stderr
    if output == "json":
        assert json.loads(done.stdout)["can_run"] is False
    else:
        assert "missing  namespaces" in done.stdout
        assert "sysctl -w user.max_user_namespaces" in done.stdout
        assert "Scenarios cannot run here: namespaces" in done.stdout
