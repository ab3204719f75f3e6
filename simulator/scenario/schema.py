"""The scenario as a checked, frozen value: the grammar of a scenario file.

Each model is one mapping of the file, each field one key; unknown keys are errors. The field
descriptions are the source of `docs/scenario.md` and of `portchurn schema`. This file knows what a
scenario means in itself; whether this machine can run it is asked before a run and answered with
arithmetic by `explain`.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    InstanceOf,
    PlainSerializer,
    WithJsonSchema,
    model_validator,
)

from simulator.ports.range import DYNAMIC, USER, PortRange, parse_port_range
from simulator.scenario.sysctls import ALLOWED_SYSCTLS
from simulator.scenario.thresholds import parse_threshold
from simulator.units import NS_PER_S, parse_rate_per_s, parse_size_bytes, parse_time_ns

MAX_CONNECTIONS = 5_000_000
MAX_BACKENDS = 16_384
MAX_DURATION_NS = 3600 * NS_PER_S


def _from_text(parse: Any, example: str) -> BeforeValidator:
    def read(value: Any) -> Any:
        if isinstance(value, str):
            return parse(value)
        raise ValueError(f"needs a unit; write {example}")

    return BeforeValidator(read)


def time_text(value_ns: int) -> str:
    """The shortest exact text of a time, so that a resolved scenario can be read again."""
    for unit, size in (("s", NS_PER_S), ("ms", 1_000_000), ("us", 1_000)):
        if value_ns % size == 0:
            return f"{value_ns // size}{unit}"
    return f"{value_ns}ns"


_TIME_JSON = {"type": "string", "pattern": r"^\s*[0-9][0-9_]*(\.[0-9]+)?\s*(ns|us|µs|ms|s|min|m|h)\s*$"}
_RATE_JSON = {"type": "string", "pattern": r"^\s*[0-9][0-9_]*(\.[0-9]+)?\s*/\s*(s|sec|min|m|h)\s*$"}
_SIZE_JSON = {"type": "string", "pattern": r"^\s*[0-9][0-9_]*(\.[0-9]+)?\s*(B|kB|KB|MB|GB|KiB|MiB|GiB)\s*$"}
_PORTS_JSON = {"type": "string", "pattern": r"^\s*[0-9]{1,5}\s*-\s*[0-9]{1,5}\s*$"}

TimeNs = Annotated[
    int,
    _from_text(parse_time_ns, "500ms or 2s"),
    Field(ge=0, le=MAX_DURATION_NS),
    PlainSerializer(time_text, when_used="json"),
    WithJsonSchema(_TIME_JSON),
]
RatePerS = Annotated[
    float,
    _from_text(parse_rate_per_s, "2000/s"),
    Field(gt=0, le=1_000_000, allow_inf_nan=False),
    PlainSerializer(lambda value: f"{value:.9f}".rstrip("0").rstrip(".") + "/s", when_used="json"),
    WithJsonSchema(_RATE_JSON),
]
SizeBytes = Annotated[
    int,
    _from_text(parse_size_bytes, "64B or 16KiB"),
    Field(ge=0, le=1 << 30),
    PlainSerializer(lambda value: f"{value}B", when_used="json"),
    WithJsonSchema(_SIZE_JSON),
]
Ports = Annotated[
    InstanceOf[PortRange],
    _from_text(parse_port_range, "49152-65535"),
    PlainSerializer(str, when_used="json"),
    WithJsonSchema(_PORTS_JSON),
]
ReservedPorts = Annotated[
    InstanceOf[PortRange],
    _from_text(lambda text: parse_port_range(text if "-" in text else f"{text}-{text}"), "'50000' or 50000-50009"),
    PlainSerializer(str, when_used="json"),
    WithJsonSchema({"type": "string", "pattern": r"^\s*[0-9]{1,5}(\s*-\s*[0-9]{1,5})?\s*$"}),
]
Count = Annotated[int, Field(ge=1, strict=True)]


class Mapping(BaseModel):
    """What all mappings share: frozen, no unknown key, defaults checked like given values."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", validate_default=True, populate_by_name=True
    )


def _one_of(value: BaseModel, names: tuple[str, ...]) -> None:
    given = [name for name in names if getattr(value, name) is not None]
    if len(given) != 1:
        choices = " or ".join(names)
        what = "has none of them" if not given else f"has {' and '.join(given)}"
        raise ValueError(f"needs exactly one of {choices}, but {what}")


class Duration(Mapping):
    """A time that may vary: `2ms` alone means constant."""

    constant: TimeNs | None = Field(None, description="always this long")
    exponential: TimeNs | None = Field(None, description="exponentially distributed with this mean")

    @model_validator(mode="before")
    @classmethod
    def _plain_is_constant(cls, value: Any) -> Any:
        return {"constant": value} if isinstance(value, str) else value

    @model_validator(mode="after")
    def _exactly_one(self) -> Duration:
        _one_of(self, ("constant", "exponential"))
        return self

    @property
    def mean_ns(self) -> int:
        """The mean, in ns."""
        return self.constant if self.constant is not None else (self.exponential or 0)


class Rate(Mapping):
    """A rate, steady or changing evenly over the phase: `100/s` alone means steady."""

    from_per_s: RatePerS = Field(alias="from", description="rate at the start of the phase")
    to_per_s: RatePerS = Field(alias="to", description="rate at the end of the phase")

    @model_validator(mode="before")
    @classmethod
    def _plain_is_steady(cls, value: Any) -> Any:
        return {"from": value, "to": value} if isinstance(value, str) else value


class Arrivals(Mapping):
    """When connections are due: open loop, whatever happened to those before."""

    constant: Rate | None = Field(None, description="evenly spaced, at a rate or from one to another")
    poisson: Rate | None = Field(None, description="a Poisson process, at a rate or from one to another")

    @model_validator(mode="after")
    def _exactly_one(self) -> Arrivals:
        _one_of(self, ("constant", "poisson"))
        return self


class Hold(Mapping):
    """Open this many connections at a paced rate and keep them to the end of the phase."""

    connections: Annotated[Count, Field(le=MAX_CONNECTIONS)] = Field(description="how many to hold")
    rate: RatePerS = Field("5000/s", description="how fast they are opened")


SourcePortMode = Literal[
    "kernel", "early-bind", "late-bind", "socket-range", "userspace", "permanent"
]


class Source(Mapping):
    """Where connections come from: addresses, and who picks their local port."""

    addresses: Annotated[Count, Field(le=4096)] = Field(
        1, description="source addresses, used in turn; each has a port range of its own"
    )
    ports: SourcePortMode = Field(
        "kernel",
        description=(
            "who picks the local port: `kernel` (plain connect), `early-bind` (bind to port 0 "
            "first), `late-bind` (the same with IP_BIND_ADDRESS_NO_PORT), `socket-range` "
            "(IP_LOCAL_PORT_RANGE), `userspace` (we pick, bind and keep), `permanent` (a port "
            "of its own for each connection, never given back)"
        ),
    )
    pick: Literal["random", "sequential"] = Field(
        "random", description="how `userspace` picks from its free ports"
    )
    range: Ports | None = Field(
        None, description="ports for `socket-range`, `userspace` and `permanent`; default: kernel.port_range"
    )


class Kernel(Mapping):
    """Settings of the private network namespace; written, read back and recorded."""

    port_range: Ports = Field(str(DYNAMIC), description="ip_local_port_range: ports the kernel hands out")
    reserved_ports: tuple[ReservedPorts, ...] = Field(
        (), max_length=64, description="ip_local_reserved_ports: never handed out"
    )
    time_wait: TimeNs = Field(
        "60s",
        ge=1_000_000,
        le=60 * NS_PER_S,
        description=(
            "how long a closed connection keeps its tuple: `60s` is the kernel's own constant "
            "with tcp_tw_reuse=0; less uses tcp_tw_reuse=1 with tcp_tw_reuse_delay"
        ),
    )
    somaxconn: Annotated[Count, Field(le=65535)] = Field(4096, description="upper limit of accept queues")
    sysctls: dict[str, Annotated[int, Field(strict=True)]] = Field(
        default_factory=dict, max_length=32, description="other settings, from the allowed list only"
    )

    @model_validator(mode="after")
    def _known_sysctls(self) -> Kernel:
        for name, value in self.sysctls.items():
            if name not in ALLOWED_SYSCTLS:
                raise ValueError(f"{name} is not on the list of allowed settings: {', '.join(ALLOWED_SYSCTLS)}")
            low, high, _ = ALLOWED_SYSCTLS[name]
            if not low <= value <= high:
                raise ValueError(f"{name} must be within {low}..{high}, not {value}")
        if self.time_wait < 60 * NS_PER_S and self.time_wait % 1_000_000:
            raise ValueError("time_wait must be a whole number of milliseconds")
        return self


class Backends(Mapping):
    """Real TCP servers, each listening on a port it was given dynamically."""

    count: Annotated[int, Field(ge=1, le=MAX_BACKENDS, strict=True)] = Field(1, description="how many backends")
    processes: Annotated[Count, Field(le=64)] = Field(1, description="processes they are spread over")
    addresses: Annotated[Count, Field(le=256)] = Field(1, description="addresses they are spread over")
    kind: Literal["request-response"] = Field("request-response", description="what they speak")
    ports: Literal["kernel", "random", "permanent"] = Field(
        "kernel",
        description=(
            "who picks the listening port: `kernel` (bind to port 0), `random` (uniform in "
            "`range`), `permanent` (one registered port each, in order)"
        ),
    )
    range: Ports | None = Field(
        None, description=f"ports for `random` (default {DYNAMIC}) and `permanent` (default {USER})"
    )
    service_time: Duration = Field(
        default_factory=lambda: Duration(constant="0ms"), description="time between request and answer"
    )
    backlog: Annotated[Count, Field(le=65535)] = Field(4096, description="accept queue asked for")
    accept_every: TimeNs = Field("0ms", description="least time between two accepts of one backend")
    refusing: Annotated[int, Field(ge=0, strict=True)] = Field(
        0, description="the first so many backends hold their port but do not listen"
    )
    descriptors: Annotated[Count, Field(ge=32)] | None = Field(
        None, description="descriptor limit of each backend process"
    )

    @model_validator(mode="after")
    def _fits(self) -> Backends:
        if self.refusing > self.count:
            raise ValueError(f"refusing is {self.refusing}, more than the {self.count} backends there are")
        ports = self.listen_range
        if ports is not None and self.count > len(ports) * self.addresses:
            raise ValueError(f"count is {self.count}, more than the {len(ports)} ports of {ports}")
        return self

    @property
    def listen_range(self) -> PortRange | None:
        """Ports that `random` and `permanent` draw from; None when the kernel picks."""
        if self.ports == "kernel":
            return None
        return self.range or (DYNAMIC if self.ports == "random" else USER)


class Policy(Mapping):
    """How a backend is picked: a name, or `{choices: 3}` for the best of so many at random."""

    name: Literal["round-robin", "random", "least-connections", "two-choices", "choices"] = Field(
        description="the rule"
    )
    choices: Annotated[int, Field(ge=1, le=64, strict=True)] = Field(
        2, description="how many candidates are compared by `two-choices` and `choices`"
    )

    @model_validator(mode="before")
    @classmethod
    def _short_forms(cls, value: Any) -> Any:
        if isinstance(value, str):
            return {"name": value}
        if isinstance(value, dict) and set(value) == {"choices"}:
            return {"name": "choices", **value}
        return value


class Balancer(Mapping):
    """The relay between clients and backends, and how it takes source ports toward them."""

    driver: Literal["own", "none"] = Field(
        "own", description="`own` relay, or `none`: clients connect straight to the backends"
    )
    policy: Policy = Field(
        default_factory=lambda: Policy(name="round-robin"), description="how a backend is picked"
    )
    workers: Annotated[Count, Field(le=64)] = Field(1, description="relay processes on one port")
    source: Source = Field(default_factory=Source, description="source addresses and ports toward backends")
    close: Literal["client", "balancer", "backend", "reset"] = Field(
        "client",
        description=(
            "who closes first, and so keeps the tuple in TIME_WAIT: `client` (the balancer "
            "passes it on, so both keep one), `balancer` (its idle_timeout ends the connection), "
            "`backend` (nobody's ephemeral port is held), `reset` (nothing is kept anywhere)"
        ),
    )
    connect_timeout: TimeNs = Field("3s", gt=0, description="longest wait for a backend to accept")
    retries: Annotated[int, Field(ge=0, le=16, strict=True)] = Field(
        1, description="further backends tried when a connect fails"
    )
    idle_timeout: TimeNs = Field("60s", gt=0, description="a connection silent for so long is closed")
    buffer: SizeBytes = Field("64KiB", ge=1024, description="most bytes held for one direction")
    backlog: Annotated[Count, Field(le=65535)] = Field(4096, description="accept queue asked for")
    descriptors: Annotated[Count, Field(ge=32)] | None = Field(
        None, description="descriptor limit of each relay process"
    )


class Clients(Mapping):
    """The load generator: open loop, several processes and source addresses."""

    processes: Annotated[Count, Field(le=64)] = Field(1, description="generator processes")
    source: Source = Field(
        default_factory=lambda: Source(addresses=16, ports="userspace"),
        description="source addresses and ports of the clients",
    )
    timeout: TimeNs = Field("10s", gt=0, description="longest wait for a connect or an answer")
    descriptors: Annotated[Count, Field(ge=32)] | None = Field(
        None, description="descriptor limit of each generator process"
    )


class Phase(Mapping):
    """One stretch of traffic; phases follow each other."""

    name: Annotated[str, Field(min_length=1, max_length=64)] = Field(description="its name in results")
    for_ns: TimeNs = Field(alias="for", gt=0, description="how long it lasts")
    warmup: bool = Field(False, strict=True, description="left out of latencies and rates")
    arrivals: Arrivals | None = Field(None, description="when connections are due")
    hold: Hold | None = Field(None, description="connections to open and keep")
    lifetime: Duration = Field(
        default_factory=lambda: Duration(constant="0ms"),
        description="how long a connection stays open once connected; not with `hold`",
    )
    requests: Annotated[int, Field(ge=0, le=10_000, strict=True)] = Field(
        1, description="requests on each connection, spread evenly over its lifetime"
    )
    request_size: SizeBytes = Field("64B", le=16 << 20, description="bytes of a request's body")
    response_size: SizeBytes = Field("64B", le=64 << 20, description="bytes of an answer's body")

    @model_validator(mode="after")
    def _shape(self) -> Phase:
        _one_of(self, ("arrivals", "hold"))
        if self.hold is not None and self.lifetime.mean_ns:
            raise ValueError("has hold and lifetime; held connections live to the end of the phase")
        return self


class Sampling(Mapping):
    """How often the kernel's socket table is read."""

    every: TimeNs = Field("100ms", ge=10_000_000, description="time between two samples")


def _check_threshold(text: str) -> str:
    parse_threshold(text)
    return text


class Scenario(Mapping):
    """One question, with everything needed to ask it again."""

    schema_: str | None = Field(None, alias="$schema", description="for editors; not used")
    title: Annotated[str, Field(min_length=1, max_length=200)] = Field(description="one line")
    expect: Annotated[str, Field(max_length=4000)] = Field("", description="what should be seen, and why")
    seed: Annotated[int, Field(ge=0, lt=1 << 63, strict=True)] = Field(1, description="same seed, same plan")
    kernel: Kernel = Field(default_factory=Kernel, description="the private network namespace")
    backends: Backends = Field(default_factory=Backends, description="the servers")
    balancer: Balancer = Field(default_factory=Balancer, description="the relay")
    clients: Clients = Field(default_factory=Clients, description="the load generator")
    traffic: Annotated[tuple[Phase, ...], Field(min_length=1, max_length=64)] = Field(
        description="phases, one after the other"
    )
    grace: TimeNs = Field("3s", description="how long open connections may finish after the last phase")
    sampling: Sampling = Field(default_factory=Sampling, description="reading the socket table")
    thresholds: tuple[Annotated[str, AfterValidator(_check_threshold)], ...] = Field(
        (), max_length=64, description="conditions on the summary; one that fails gives exit code 4"
    )
    variants: dict[str, dict[str, Any]] = Field(
        default_factory=dict,
        max_length=16,
        description="the same scenario with other values: name, then `path: value`; all are run",
    )

    @model_validator(mode="after")
    def _consistent(self) -> Scenario:
        names = [phase.name for phase in self.traffic]
        if len(set(names)) != len(names):
            raise ValueError("traffic has two phases of the same name")
        if self.duration_ns > MAX_DURATION_NS:
            raise ValueError("traffic lasts longer than one hour in all")
        if self.balancer.close == "balancer" and self.balancer.driver == "none":
            raise ValueError("balancer.close is balancer, but balancer.driver is none")
        return self

    @property
    def duration_ns(self) -> int:
        """Length of all phases together, in ns."""
        return sum(phase.for_ns for phase in self.traffic)
