"""The environment of a run, held against what other tools say of this machine."""

from __future__ import annotations

import json
import os
import resource
import sys
from importlib.metadata import version

from simulator.store.environment import capture, driver_facts


def test_it_says_what_this_machine_says() -> None:
    found = capture()
    uname = os.uname()
    assert found["kernel"] == uname.release
    assert found["machine"] == uname.machine
    assert found["python"] == ".".join(map(str, sys.version_info[:3]))
    assert found["cores"] == os.cpu_count()
    assert found["packages"]["numpy"] == version("numpy")
    soft = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    assert found["limits"]["descriptors"][0] == (None if soft == resource.RLIM_INFINITY else soft)
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    assert found["memory_bytes"] == pages
    assert found["host_settings"]["net.ipv4.ip_local_port_range"].split()[0].isdigit()


def test_it_is_plain_json_and_says_that_the_path_is_loopback() -> None:
    found = capture()
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    assert found["path"] == "loopback"


def test_a_foreign_balancer_is_named_with_its_version() -> None:
    assert driver_facts("own") == driver_facts("none") == {}
    told = driver_facts("haproxy")["driver"]
    assert told["name"] == "haproxy"
    assert bool(told["version"]) == bool(told["binary"])
