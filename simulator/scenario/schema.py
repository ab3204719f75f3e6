"""The scenario as a checked, frozen value: the grammar of a scenario file.

Each model is one mapping of the file, each field one key; unknown keys are errors. The field
descriptions are the source of `docs/scenario.md` and of `portchurn schema`. This file knows what a
scenario means in itself; whether this machine can run it is asked before a run and answered with
arithmetic by `explain`.
"""

from __future__ import annotations

import math
from difflib import get_close_matches
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, model_validator

from simulator.ports.allocators import DEFAULT_RANGES, NODE_PORT, NOMAD, AllocatorName
from simulator.ports.range import DYNAMIC, USER, PortRange
from simulator.scenario.arrivals import Arrivals  # noqa: TC001 - read by the model
from simulator.scenario.balancer import Balancer
from simulator.scenario.care import WEIGHTED_POLICIES
from simulator.scenario.churn import Churn  # noqa: TC001 - read by pydantic
from simulator.scenario.distributions import Bimodal, Lognormal, Pareto  # noqa: TC001 - read by pydantic
from simulator.scenario.faults import Faults, Stream
from simulator.scenario.fields import (
    MAX_DURATION_NS,
    Count,
    Mapping,
    Ports,
    RatePerS,
    ReservedPorts,
    SizeBytes,
    TimeNs,
    Where,
    about,
    as_written,
    exactly_one,
    time_text,
)
from simulator.scenario.flapping import Flapping  # noqa: TC001 - read by pydantic
from simulator.scenario.kinds import (
    KINDS_TEXT,
    STREAM_TEXT,
    BackendKind,
    answers_of_echo,
    does_not_suit_kind,
)
from simulator.scenario.requests import Requests
from simulator.scenario.sidecar import Sidecar, sidecar_fits
from simulator.scenario.source import Source, SourcePortMode
from simulator.scenario.sysctls import ALLOWED_SYSCTLS
from simulator.scenario.thresholds import parse_threshold
from simulator.scenario.turns import Retry, Users, do_not_go_together
from simulator.units import NS_PER_S

MAX_CONNECTIONS = 5_000_000
MAX_BACKENDS = 16_384
#: Fewer ports than this outside kernel.port_range are not worth moving the clients to.
MIN_CLIENT_PORTS = 4_096
#: Modes in which connect() finds the port, and passes over those that somebody bound.
KERNEL_PICKS = ("kernel", "late-bind", "socket-range")
#: Modes in which we name a port in bind().
BINDS_A_PORT = ("userspace", "permanent")


class Duration(Mapping):
    """A time that may vary: `2ms` alone means constant."""

    constant: TimeNs | None = Field(default=None, description="always this long")
    exponential: TimeNs | None = Field(
        default=None, description="exponentially distributed with this mean"
    )
    lognormal: Lognormal | None = Field(default=None, description="a long tail to the right")
    pareto: Pareto | None = Field(default=None, description="a tail that falls as a power")
    bimodal: Bimodal | None = Field(default=None, description="mostly fast, sometimes slow")

    @model_validator(mode="before")
    @classmethod
    def _plain_is_constant(cls, value: object) -> object:
        if isinstance(value, (int, float)):
            raise ValueError("needs a unit; write 2ms, or {exponential: 2ms}")
        return {"constant": value} if isinstance(value, str) else value

    @model_validator(mode="after")
    def _exactly_one(self) -> Duration:
        exactly_one(self, ("constant", "exponential", "lognormal", "pareto", "bimodal"))
        return self

    @property
    def mean_ns(self) -> int:
        """The mean, in ns."""
        shaped = self.lognormal or self.pareto or self.bimodal
        if shaped is not None:
            return shaped.mean_ns
        return self.constant if self.constant is not None else (self.exponential or 0)


class Hold(Mapping):
    """Open this many connections at a paced rate and keep them to the end of the phase."""

    connections: Annotated[Count, Field(le=MAX_CONNECTIONS)] = Field(description="how many to hold")
    rate: RatePerS = Field(default=as_written("5000/s"), description="how fast they are opened")
    ramp: TimeNs = Field(
        default=as_written("0ms"),
        description="that rate is reached only after so long, rising evenly from nothing",
    )

    @property
    def opening_ns(self) -> int:
        """How long it takes to open them all: n / rate + ramp / 2, or less than the ramp, in ns."""
        within = self.rate * self.ramp / NS_PER_S / 2  # opened by the end of the ramp
        if self.connections > within:
            return math.ceil(self.connections / self.rate * NS_PER_S + self.ramp / 2)
        return math.ceil(math.sqrt(self.connections / within) * self.ramp)

    @property
    def peak_per_s(self) -> float:
        """The highest rate that is reached."""
        within = self.rate * self.ramp / NS_PER_S / 2
        return self.rate * min(1.0, math.sqrt(self.connections / within) if within else 1.0)


def _check_sysctls(sysctls: dict[str, int]) -> dict[str, int]:
    wrong: list[tuple[Where, str]] = []
    for name, value in sysctls.items():
        low, high, _ = ALLOWED_SYSCTLS.get(name, (0, 0, ""))
        if name == "net.core.somaxconn":
            wrong.append(((name,), "has a key of its own; write kernel.somaxconn"))
        elif name not in ALLOWED_SYSCTLS:
            near = get_close_matches(name, ALLOWED_SYSCTLS, 1)
            hint = f"did you mean {near[0]}?" if near else "the list is in docs/scenario.md"
            wrong.append(((name,), f"is not on the list of allowed settings; {hint}"))
        elif not low <= value <= high:
            wrong.append(((name,), f"is {value}; it must be within {low}..{high}"))
    if wrong:
        raise about(*wrong[0], *wrong[1:])
    return sysctls


class Kernel(Mapping):
    """Settings of the private network namespace; written, read back and recorded."""

    port_range: Ports = Field(
        default=as_written(str(DYNAMIC)),
        description="ip_local_port_range: ports the kernel hands out",
    )
    reserved_ports: tuple[ReservedPorts, ...] = Field(
        default=(), max_length=64, description="ip_local_reserved_ports: never handed out"
    )
    time_wait: TimeNs = Field(
        default=as_written("60s"),
        ge=1_000_000,
        le=60 * NS_PER_S,
        description=(
            "how long a closed connection keeps its tuple: `60s` is the kernel's own constant "
            "with tcp_tw_reuse=0; less uses tcp_tw_reuse=1 with tcp_tw_reuse_delay"
        ),
    )
    somaxconn: Annotated[Count, Field(le=65535)] = Field(
        default=4096, description="upper limit of accept queues"
    )
    sysctls: Annotated[
        dict[str, Annotated[int, Field(strict=True)]], AfterValidator(_check_sysctls)
    ] = Field(
        default_factory=dict,
        max_length=32,
        description="other settings, from the allowed list only",
    )

    @model_validator(mode="after")
    def _kernel_would_take_it(self) -> Kernel:
        if self.time_wait < 60 * NS_PER_S and self.time_wait % 1_000_000:
            raise about("time_wait", "must be a whole number of milliseconds")
        lowest = self.sysctls.get("net.ipv4.ip_unprivileged_port_start", 0)
        if self.port_range.first < lowest:
            message = f"begins below {lowest}, and the kernel refuses that; begin at {lowest}"
            raise about("port_range", message)
        return self


class Backends(Mapping):
    """Real TCP servers, each listening on a port it was given dynamically."""

    count: Annotated[int, Field(ge=1, le=MAX_BACKENDS, strict=True)] = Field(
        default=1, description="how many backends"
    )
    processes: Annotated[Count, Field(le=64)] = Field(
        default=1,
        description=(
            "processes they are spread over; with more processes than backends several of them "
            "share one listening port (SO_REUSEPORT), so that a backend may hold more connections "
            "than one process has descriptors"
        ),
    )
    addresses: Annotated[Count, Field(le=256)] = Field(
        default=1, description="addresses they are spread over"
    )
    address: Literal["own", "shared"] = Field(
        default="own",
        description=(
            "`own` (addresses that nobody connects from) or `shared` (127.0.0.1, where a plain "
            "connect comes from too, as on a host that serves and calls; needs `ports: fixed`)"
        ),
    )
    kind: BackendKind = Field(default="stream", description=KINDS_TEXT)
    ports: AllocatorName = Field(
        default="kernel",
        description=(
            "who picks the listening port: `kernel` (bind to port 0), `random` (uniform in "
            "`range`), `permanent` (one registered port each, in order), `fixed` (the same, and "
            "no other if somebody has it, also after a return), `sequential` (the next "
            "one after the last), `blocks` (each backend goes round in a block of its own), "
            "`random-start`, `random-retry`, `random-increments` (RFC 6056 algorithms 1, 2, 5), "
            "`nomad` (20 random tries, then a scan), `nodeport` (the upper band first, then the "
            "lower one that Kubernetes keeps for fixed requests)"
        ),
    )
    range: Ports | None = Field(
        default=None,
        description=(
            f"ports to pick from; default: {USER} for `permanent` and `fixed`, {NOMAD} for "
            f"`nomad`, {NODE_PORT} for `nodeport`, {DYNAMIC} for the others, and kernel.port_range "
            "for `kernel`"
        ),
    )
    service_time: Duration = Field(
        default=as_written("0ms"), description="time between request and answer"
    )
    backlog: Annotated[Count, Field(le=65535)] = Field(
        default=4096, description="accept queue asked for"
    )
    accept_every: TimeNs = Field(
        default=as_written("0ms"), description="least time between two accepts of one backend"
    )
    idle_timeout: Annotated[TimeNs, Field(gt=0)] | None = Field(
        default=None,
        description="a connection without a request for so long is closed; never unless given",
    )
    refusing: Annotated[int, Field(ge=0, strict=True)] = Field(
        default=0, description="the first so many backends hold their port but do not listen"
    )
    descriptors: Annotated[Count, Field(ge=32)] | None = Field(
        default=None, description="descriptor limit of each backend process"
    )
    concurrency: Count | None = Field(
        default=None, description="requests each backend serves at a time; others queue in order"
    )
    queue: Annotated[int, Field(ge=0, strict=True)] | None = Field(
        default=None,
        description=(
            "most requests that wait at each backend for `concurrency`; one more is turned away by "
            "a reset, or by a 503 with kind: http; no limit unless given"
        ),
    )
    faults: Faults = Field(default_factory=Faults, description="what goes wrong at them by design")
    flapping: Flapping | None = Field(
        default=None, description="backends that stop listening and begin again, on the same port"
    )
    stream: Stream | None = Field(default=None, description=STREAM_TEXT)
    churn: Churn | None = Field(
        default=None, description="backends that leave and come back on other ports"
    )
    quarantine: TimeNs = Field(
        default=as_written("0s"),
        description="how long a listening port that was given back rests before it is taken again",
    )
    weights: tuple[Annotated[int, Field(ge=1, le=256, strict=True)], ...] = Field(
        default=(),
        max_length=1024,
        description=(
            "shares for the policies that know weights, one a backend, repeated from the start "
            "when there are more backends; all equal unless given"
        ),
    )

    @model_validator(mode="after")
    def _fits(self) -> Backends:
        if self.processes > self.count:
            self._can_be_shared()
        if self.refusing > self.count:
            raise about(
                "refusing",
                f"is {self.refusing}, more than the {self.count} backends there are",
            )
        bad = self.refusing + self.faults.hanging
        if max(bad, self.faults.slow) > self.count:
            raise about("faults", f"names more than the {self.count} backends there are")
        if self.queue is not None and self.concurrency is None:
            raise about(
                "queue", "is not used without concurrency, as then nothing waits; give both"
            )
        if self.flapping is not None:
            self._flaps_fit(self.flapping)
        self._addresses_fit()
        ports = self.listen_range
        if self.ports == "blocks" and ports is not None and self.count > len(ports):
            raise about("count", f"is {self.count}, more than the {len(ports)} ports of {ports}")
        if ports is not None and self.count > len(ports) * self.addresses:
            where = f"{len(ports)} ports of {ports} on {self.addresses} address(es)"
            raise about("count", f"is {self.count}, more than the {where}")
        for index, step in enumerate(self.churn.scale if self.churn is not None else ()):
            if step.count > self.count:
                what = f"is {step.count}, more than the {self.count} of backends.count"
                raise about(f"churn.scale.{index}.count", what)
        return self

    def _can_be_shared(self) -> None:
        """What one process decides for a backend cannot be said for several."""
        keys = ("churn", "concurrency", "flapping")
        given = [key for key in keys if getattr(self, key) is not None]
        if given:
            why = f"is done by one process, but {self.processes} processes share {self.count}"
            raise about(given[0], f"{why} backend(s); set backends.processes: {self.count}")

    def _addresses_fit(self) -> None:
        if self.ports == "fixed" and self.quarantine:
            raise about("quarantine", "stands beside ports: fixed, which has no other port to take")
        if self.ports == "fixed" and self.range is not None and self.count > len(self.range):
            raise about("count", f"is {self.count}, more than the {len(self.range)} ports of range")
        if self.address == "own":
            return
        if self.ports != "fixed":
            raise about("address", "is shared, which needs ports: fixed to tell the two ends apart")
        if self.addresses > 1:
            raise about("addresses", f"is {self.addresses}, but address: shared is one address")

    def _flaps_fit(self, flapping: Flapping) -> None:
        bad = self.refusing + self.faults.hanging
        if bad + flapping.count > self.count:
            raise about("flapping", f"names more than the {self.count} backends there are")
        if self.churn is not None:
            raise about("flapping", "stands beside churn; a backend does one or the other")
        if self.ports == "kernel":
            what = "needs a port that it can keep, and one that the kernel picked is given up"
            raise about("flapping", f"{what} when listening ends; use another `ports`")

    @property
    def listen_range(self) -> PortRange | None:
        """Ports that the allocator draws from; None when the kernel picks."""
        if self.ports == "kernel":
            return None
        return self.range or DEFAULT_RANGES[self.ports]


class ClientSource(Source):
    """Where the clients' connections come from; made so that clients are not the wall."""

    addresses: Annotated[Count, Field(le=4096)] = Field(
        default=16, description="source addresses, used in turn"
    )
    ports: SourcePortMode = Field(default="userspace", description="who picks the local port")


class Clients(Mapping):
    """The load generator: several processes and source addresses."""

    processes: Annotated[Count, Field(le=64)] = Field(default=1, description="generator processes")
    source: ClientSource = Field(
        default_factory=ClientSource,
        description=(
            "source addresses and ports of the clients; `addresses` is 16 and `ports` userspace "
            "unless given"
        ),
    )
    timeout: TimeNs = Field(
        default=as_written("10s"), gt=0, description="longest wait for a connect or an answer"
    )
    descriptors: Annotated[Count, Field(ge=32)] | None = Field(
        default=None, description="descriptor limit of each generator process"
    )
    idle_timeout: Annotated[TimeNs, Field(gt=0)] | None = Field(
        default=None,
        description=(
            "a client that would `think` for longer closes the connection after so long, and its "
            "further requests are left out; never unless given"
        ),
    )
    retry: Retry | None = Field(
        default=None, description="further tries of a connection that failed; none unless given"
    )


class Phase(Mapping):
    """One stretch of traffic; phases follow each other."""

    name: Annotated[str, Field(min_length=1, max_length=64)] = Field(
        description="its name in results"
    )
    for_ns: TimeNs = Field(alias="for", gt=0, description="how long it lasts")
    warmup: bool = Field(default=False, strict=True, description="left out of latencies and rates")
    arrivals: Arrivals | None = Field(default=None, description="when connections are due")
    hold: Hold | None = Field(default=None, description="connections to open and keep")
    users: Users | None = Field(default=None, description="a closed loop of users")
    lifetime: Duration = Field(
        default=as_written("0ms"),
        description="how long a connection stays open once connected; not with `hold`",
    )
    requests: Requests = Field(
        default_factory=lambda: Requests(constant=1),
        description="requests on each connection, spread evenly over its lifetime",
    )
    think: Duration = Field(
        default=as_written("0ms"),
        description=(
            "pause of the client between an answer and its next request, instead of a lifetime; "
            "not with `hold`"
        ),
    )
    request_size: SizeBytes = Field(
        default=as_written("64B"), le=16 << 20, description="bytes of a request's body"
    )
    response_size: SizeBytes = Field(
        default=as_written("64B"), le=64 << 20, description="bytes of an answer's body"
    )

    @model_validator(mode="after")
    def _shape(self) -> Phase:
        exactly_one(self, ("arrivals", "hold", "users"))
        if self.hold is not None and self.lifetime.mean_ns:
            message = (
                "stands beside hold, whose connections live to the end of the phase; delete it"
            )
            raise about("lifetime", message)
        if self.think.mean_ns and (self.hold is not None or self.lifetime.mean_ns):
            other = "hold" if self.hold is not None else "lifetime"
            message = f"stands beside {other}, which spaces the requests already; keep one of them"
            raise about("think", message)
        steps = self.arrivals.rate.steps if self.arrivals and self.arrivals.rate else None
        if steps is not None and sum(step.for_ns for step in steps) != self.for_ns:
            lasts = time_text(sum(step.for_ns for step in steps))
            message = f"has steps of {lasts} in all, but the phase lasts {time_text(self.for_ns)}"
            raise about("arrivals", f"{message}; make them the same")
        if self.hold is not None and self.hold.opening_ns > self.for_ns:
            need = time_text(math.ceil(self.hold.opening_ns / NS_PER_S) * NS_PER_S)
            raise about("hold", f"needs {need} to open them all at its rate; lengthen `for`")
        return self


class Sampling(Mapping):
    """How often the kernel's socket table is read."""

    every: TimeNs = Field(
        default=as_written("100ms"), ge=10_000_000, description="time between two samples"
    )


def _check_threshold(text: str) -> str:
    parse_threshold(text)
    return text


class Scenario(Mapping):
    """One question, with everything needed to ask it again."""

    schema_: str | None = Field(default=None, alias="$schema", description="for editors; not used")
    title: Annotated[str, Field(min_length=1, max_length=200)] = Field(description="one line")
    expect: Annotated[str, Field(max_length=4000)] = Field(
        default="", description="what should be seen, and why"
    )
    seed: Annotated[int, Field(ge=0, lt=1 << 63, strict=True)] = Field(
        default=1, description="same seed, same plan"
    )
    kernel: Kernel = Field(default_factory=Kernel, description="the private network namespace")
    backends: Backends = Field(default_factory=Backends, description="the servers")
    balancer: Balancer = Field(default_factory=Balancer, description="the relay")
    sidecar: Sidecar | None = Field(
        default=None, description="a second relay, between clients and balancer; none unless given"
    )
    clients: Clients = Field(default_factory=Clients, description="the load generator")
    traffic: Annotated[tuple[Phase, ...], Field(min_length=1, max_length=64)] = Field(
        description="phases, one after the other"
    )
    grace: TimeNs = Field(
        default=as_written("3s"),
        description="how long open connections may finish after the last phase",
    )
    sampling: Sampling = Field(default_factory=Sampling, description="reading the socket table")
    thresholds: tuple[Annotated[str, AfterValidator(_check_threshold)], ...] = Field(
        default=(),
        max_length=64,
        description="conditions on the summary; one that fails gives exit code 4",
    )
    variants: dict[str, dict[str, Any]] = Field(
        default_factory=dict,
        max_length=16,
        description="the same scenario with other values: name, then `path: value`; all are run",
    )

    @model_validator(mode="after")
    def _consistent(self) -> Scenario:
        wrong: list[tuple[Where, str]] = []
        names = [phase.name for phase in self.traffic]
        for index, name in enumerate(names):
            if name in names[:index]:
                wrong.append((f"traffic.{index}.name", f"{name} is the name of an earlier phase"))
        wrong += self._moves_in_time()
        if self.duration_ns > MAX_DURATION_NS:
            wrong.append(("traffic", "lasts longer than one hour in all; shorten the phases"))
        if self.balancer.driver == "none" and self.balancer.close == "balancer":
            wrong.append(("balancer.close", "is balancer, but balancer.driver is none"))
        policy = self.balancer.policy.name
        if self.backends.weights and policy not in WEIGHTED_POLICIES:
            known = ", ".join(WEIGHTED_POLICIES)
            wrong.append(("backends.weights", f"is not used by {policy}, only by {known}"))
        sources = [
            ("balancer.source", self.balancer.source),
            ("clients.source", self.clients.source),
        ]
        if self.sidecar is not None:
            sources.append(("sidecar.source", self.sidecar.source))
        for path, source in sources:
            wrong.extend((f"{path}.{key}", why) for key, why in self._source_fits(source))
        wrong += sidecar_fits(self)
        wrong += do_not_go_together(self)
        wrong += does_not_suit_kind(self)
        if wrong:
            raise about(*wrong[0], *wrong[1:])
        self._keep_clients_out_of_the_way()
        answers_of_echo(self)
        return self

    @property
    def loop(self) -> Literal["open", "closed"]:
        """Whether connections are due whatever happens, or when a user comes back."""
        return "open" if self.traffic[0].users is None else "closed"

    def _moves_in_time(self) -> list[tuple[Where, str]]:
        """Moves planned for after the run; they would silently not take place."""
        churn = self.backends.churn
        if churn is None:
            return []
        late = f"is after the end of the last phase, {time_text(self.duration_ns)}"
        named = [("at", index, one.time) for index, one in enumerate(churn.at)]
        named += [("scale", index, one.time) for index, one in enumerate(churn.scale)]
        return [
            (f"backends.churn.{key}.{index}.time", late)
            for key, index, time in named
            if time >= self.duration_ns
        ]

    def _keep_clients_out_of_the_way(self) -> None:
        """Give clients a range of their own where theirs would eat the balancer's.

        connect() passes over a port that any socket of the namespace has bound, on whatever
        address, and so it does for the 60 s that such a socket is in TIME_WAIT.

        Source: net/ipv4/inet_hashtables.c, `__inet_hash_connect`; seen on Linux 6.18.
        """
        source = self.clients.source
        relays = [self.balancer.source] + ([self.sidecar.source] if self.sidecar else [])
        if (
            source.range is not None
            or source.ports not in BINDS_A_PORT
            or self.balancer.driver == "none"
            or not any(relay.ports in KERNEL_PICKS for relay in relays)
        ):
            return
        ports = self.kernel.port_range
        below, above = ports.first - 1024, 65535 - ports.last
        if max(below, above) < min(len(ports), MIN_CLIENT_PORTS):
            return
        free = (
            PortRange(1024, ports.first - 1) if below >= above else PortRange(ports.last + 1, 65535)
        )
        clients = self.clients.model_copy(
            update={"source": source.model_copy(update={"range": free})}
        )
        # Still being validated, nobody has seen the value yet: frozen means frozen after this.
        object.__setattr__(self, "clients", clients)

    def _source_fits(self, source: Source) -> list[tuple[str, str]]:
        """What the kernel would silently do otherwise with a source's range."""
        if source.range is None:
            return []
        if source.ports in ("kernel", "early-bind", "late-bind"):
            return [("range", f"is not used with ports: {source.ports}; use kernel.port_range")]
        ports = self.kernel.port_range
        inside = ports.first <= source.range.first and source.range.last <= ports.last
        if source.ports == "socket-range" and not inside:
            return [("range", f"reaches outside kernel.port_range {ports}, which it cannot")]
        return []

    @property
    def duration_ns(self) -> int:
        """Length of all phases together, in ns."""
        return sum(phase.for_ns for phase in self.traffic)
