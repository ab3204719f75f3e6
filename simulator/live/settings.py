"""What the conductor tells each role of a crew, as plain values that travel as JSON.

A role never sees the scenario file: it gets the part that concerns it, already turned into
addresses, numbers and paths.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from simulator.balancing.policies.select import PolicyOptions
from simulator.live.care import CareSettings
from simulator.live.dns_settings import ForgerRole, ResolverRole
from simulator.live.driver_settings import DriverRole


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceSettings:
    """Where connects come from (scenario `Source`), resolved.

    Attributes:
        addresses: dotted IPv4 addresses, used in turn.
        mode: scenario `Source.ports`.
        pick: scenario `Source.pick`.
        first: first port of the role's own slice (or of the whole range where the kernel picks).
        last: last port of it.
        seed: key of the random stream.
        may_meet_itself: whether a connect may be given its own destination as its source.
        datagrams: whether sockets are UDP.
    """

    addresses: tuple[str, ...]
    mode: str
    pick: str
    first: int
    last: int
    seed: int
    may_meet_itself: bool = False
    datagrams: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class BackendRole:
    """One backend process: which backends it serves and how."""

    ids: tuple[int, ...]
    addresses: tuple[str, ...]  # one per id
    allocator: str
    first: int  # listen range, 0 where the kernel picks
    last: int
    seed: int = 0
    backlog: int = 4096
    accept_every_ns: int = 0
    idle_timeout_ns: int = 0  # 0: never
    refusing: tuple[int, ...] = ()  # ids that hold their port but do not listen
    absent: tuple[int, ...] = ()  # ids that have no port until they are told to come
    concurrency: int = 0  # requests served at a time by each backend, 0 = no limit
    error_rate: float = 0.0
    slow: tuple[int, ...] = ()  # ids
    slow_factor: float = 1.0
    hanging: tuple[int, ...] = ()  # ids
    chunk_bytes: int = 0  # 0 = an answer goes out whole
    chunk_every_ns: int = 0
    total: int = 0  # backends of the whole run, among whom `blocks` divides its range
    shares: int = 1  # processes that serve the one backend of `ids` on its one port
    share: int = 0  # which of them this is; the first has the lease
    speaks: str = "stream"  # scenario `backends.kind`
    queue: int | None = None  # requests that may wait at each backend, None = no limit
    leaks: float = 0.0  # share of connections that are never closed after their end
    flapping: tuple[int, ...] = ()  # ids that stop listening now and then
    flap_first_ns: tuple[int, ...] = ()  # when each does so first
    flap_up_ns: int = 0
    flap_down_ns: int = 0
    flap_end_ns: int = 0  # nobody stops any more
    missing: int = 0  # names of a DNS zone that do not exist, the first ones


@dataclass(frozen=True, slots=True, kw_only=True)
class BalancerRole:
    """One relay worker."""

    front: tuple[str, int]
    reuse_port: bool
    policy: str
    choices: int
    source: SourceSettings
    connect_timeout_ns: int
    idle_timeout_ns: int
    retries: int
    buffer_bytes: int
    backlog: int
    seed: int
    key: str = ""  # what a client's key is made of; "" = the policy looks at no client
    options: PolicyOptions = field(default_factory=PolicyOptions)
    care: CareSettings = field(default_factory=CareSettings)
    compiled: bool = False  # the data path as machine code
    half_close: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class SidecarRole:
    """One worker of the relay between clients and balancer."""

    front: tuple[str, int]
    upstream: tuple[str, int]  # the balancer's front
    reuse_port: bool
    source: SourceSettings
    connect_timeout_ns: int
    idle_timeout_ns: int
    backlog: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientRole:
    """One generator process: rows ``worker, worker + workers, ...`` of the plan are its."""

    workers: int
    folder: str
    source: SourceSettings
    front: tuple[str, int] | None  # None: straight to the backends
    policy: str
    choices: int
    close: str
    timeout_ns: int
    seed: int
    hold_phases: tuple[int, ...] = ()
    turns_end_ns: tuple[int, ...] = ()  # of a closed loop: when each phase ends
    speaks: str = "stream"  # scenario `backends.kind`
    names: int = 1  # names of a DNS zone that are asked for in turn


@dataclass(frozen=True, slots=True, kw_only=True)
class HopView:
    """How the sampler recognises one hop's sockets and counts its tuples.

    Attributes:
        name: the hop's label.
        destination_prefix: upper 16 bits of the destination addresses.
        source_prefix: upper 16 bits of the source addresses, for sockets that are only bound.
        per: ``tuple`` (source, destination address, destination port) or ``address`` (source
            address alone, where a port serves one destination only).
        budget: tuples of one group.
        groups: how many groups there are.
        blocking_ms: a tuple in TIME_WAIT is in use for so long; after that (or at once, where the
            port is named by bind) the next connection takes it over.
        counts_bound: whether sockets that are only bound hold a port of this hop.
        listen_first, listen_last: where both ends share an address, the accepting one is told by
            its port, which is one of these; 0 = it has an address of its own.
        port_first, port_last: the ports that the hop's connections are made from.
    """

    name: str
    destination_prefix: int
    source_prefix: int
    per: str
    budget: int
    groups: int
    blocking_ms: int
    counts_bound: bool
    listen_first: int = 0
    listen_last: int = 0
    port_first: int = 1
    port_last: int = 65_535


@dataclass(frozen=True, slots=True, kw_only=True)
class SamplerRole:
    """The sampler of the socket table."""

    every_ns: int
    hops: tuple[HopView, ...]


AnyRole = (
    BackendRole
    | BalancerRole
    | DriverRole
    | ResolverRole
    | SidecarRole
    | ClientRole
    | ForgerRole
    | SamplerRole
)


@dataclass(frozen=True, slots=True, kw_only=True)
class RoleSpec:
    """One process of the crew."""

    kind: str  # "backend", "balancer", "sidecar", "client", "forger", "sampler"
    index: int
    settings: AnyRole
    descriptors: int | None = None
    loop: str = "uvloop"
    tick_ns: int = 100_000_000  # between two reports; longer where there are very many roles


@dataclass(frozen=True, slots=True, kw_only=True)
class CrewSettings:
    """Everything PID 1 of a crew needs to know."""

    sysctls: dict[str, str]
    hash_entries: int = 0
    roles: tuple[RoleSpec, ...] = field(default=())
    host_network: bool = False  # no namespace, and none of the settings

    def to_json(self) -> dict[str, Any]:
        """As plain lists and mappings."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> CrewSettings:
        """Back from `to_json`."""
        return cls(
            sysctls=data["sysctls"],
            hash_entries=data["hash_entries"],
            roles=tuple(_role_from_json(role) for role in data["roles"]),
            host_network=data["host_network"],
        )


def _source(data: dict[str, Any]) -> SourceSettings:
    return SourceSettings(**{**data, "addresses": tuple(data["addresses"])})


def _role_from_json(data: dict[str, Any]) -> RoleSpec:
    given = data["settings"]
    settings: AnyRole
    values: dict[str, Any] = {
        key: tuple(value) if isinstance(value, list) else value for key, value in given.items()
    }
    if data["kind"] == "backend":
        settings = BackendRole(**values)
    elif data["kind"] == "forger":
        settings = ForgerRole(**values)
    elif data["kind"] == "balancer" and "pool_size" in given:
        settings = ResolverRole.from_json(given)
    elif data["kind"] == "balancer" and "driver" in given:
        settings = DriverRole.from_json(given)
    elif data["kind"] == "balancer":
        options = {**given["options"], "weights": tuple(given["options"]["weights"])}
        settings = BalancerRole(
            **(
                values
                | {
                    "source": _source(given["source"]),
                    "options": PolicyOptions(**options),
                    "care": CareSettings(**given["care"]),
                }
            )
        )
    elif data["kind"] == "sidecar":
        settings = SidecarRole(**(values | {"source": _source(given["source"])}))
    elif data["kind"] == "client":
        settings = ClientRole(**(values | {"source": _source(given["source"])}))
    else:
        settings = SamplerRole(
            every_ns=given["every_ns"], hops=tuple(HopView(**hop) for hop in given["hops"])
        )
    return RoleSpec(
        kind=data["kind"],
        index=data["index"],
        settings=settings,
        descriptors=data["descriptors"],
        loop=data["loop"],
        tick_ns=data["tick_ns"],
    )
