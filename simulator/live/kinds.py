"""Who speaks what: the class of servers and of clients for each kind of backend.

Chosen once, when a process begins, so that no connection pays for what its kind does not do; and
what a kind alone needs (aiohttp) is imported only where a run has that kind.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from simulator.live.settings import BackendRole

if TYPE_CHECKING:
    from collections.abc import Iterable

    from simulator.live.backend import BackendServers
    from simulator.live.client import LoadClient
    from simulator.live.settings import ClientRole


def servers_for(settings: BackendRole) -> type[BackendServers]:
    """The servers of one backend process."""
    if settings.speaks == "http":
        from simulator.live.http_backend import HttpServers

        return HttpServers
    if settings.speaks == "echo":
        from simulator.live.echo import EchoServers

        return EchoServers
    if settings.speaks == "dns":
        from simulator.live.dns_backend import DnsServers

        return DnsServers
    from simulator.live.backend import BackendServers
    from simulator.live.backend_service import ServiceServers, is_special

    return ServiceServers if is_special(settings) else BackendServers


def client_for(settings: ClientRole, *, waits: bool) -> type[LoadClient]:
    """The generator of one process; ``waits``: whether rows wait for each other."""
    if settings.speaks == "http":
        from simulator.live.http_client import HttpClient, HttpTurnsClient

        return HttpTurnsClient if waits else HttpClient
    if settings.speaks == "echo":
        from simulator.live.echo import EchoClient, EchoTurnsClient

        return EchoTurnsClient if waits else EchoClient
    if settings.speaks == "dns":
        from simulator.live.dns_client import DnsClient, DnsTurnsClient

        return DnsTurnsClient if waits else DnsClient
    from simulator.live.client import LoadClient
    from simulator.live.prompt_client import PromptClient, is_prompt
    from simulator.live.turns import TurnsClient

    if waits:
        return TurnsClient
    return PromptClient if is_prompt(settings) else LoadClient


def import_spoken(roles: Iterable[Any]) -> None:
    """Load once, before roles are forked, what their kind needs."""
    for settings in roles:
        if isinstance(settings, BackendRole):
            servers_for(settings)
