"""What all minders share: a program that does not start is refused with its own words."""

from __future__ import annotations

import asyncio
import os
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from simulator.kernel.peers import look_for
from simulator.live.balancers.foreign import log_pipe
from simulator.live.balancers.haproxy import HaproxyBalancer
from simulator.live.balancers.nginx import NginxBalancer
from tests.support.minders import BACKEND, driver_role, minded
from tests.support.namespace import LOOPS, in_namespace

if TYPE_CHECKING:
    from simulator.live.driver_settings import DriverRole

WORDS = {"haproxy": "tune.bufsize", "nginx": "proxy_buffer_size"}
MINDERS = {"haproxy": HaproxyBalancer, "nginx": NginxBalancer}


async def start_wrongly(driver: str, role: DriverRole) -> str:
    """What a minder says whose program cannot take its configuration."""
    async with minded(MINDERS[driver], role) as (conductor, _):
        conductor.introduce([[0, BACKEND, 20_000]], [])
        return str((await conductor.hear("refused"))["message"])


def meet(loop: str, driver: str, role: DriverRole) -> str:
    with asyncio.Runner(loop_factory=LOOPS[loop]) as runner:
        return runner.run(start_wrongly(driver, role))


@pytest.mark.namespace
@pytest.mark.haproxy
@pytest.mark.nginx
@pytest.mark.parametrize("driver", MINDERS)
@pytest.mark.parametrize("loop", LOOPS)
def test_a_program_that_does_not_start_is_refused_in_its_own_words(driver: str, loop: str) -> None:
    if look_for(driver).missing:
        pytest.skip(f"needs {driver}")
    role = replace(driver_role(driver), buffer_bytes=-7)
    message = in_namespace(meet, loop, driver, role)
    assert message.startswith(f"{driver} did not start: ")
    assert WORDS[driver] in message


def test_the_pipe_of_a_log_never_makes_its_reader_wait() -> None:
    read, write = log_pipe()
    try:
        with pytest.raises(BlockingIOError):
            os.read(read, 1)
        os.write(write, b"line\n")
        assert os.read(read, 10) == b"line\n"
    finally:
        os.close(read)
        os.close(write)
