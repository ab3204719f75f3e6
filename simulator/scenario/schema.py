"""The scenario as a checked, frozen value: the grammar of a scenario file.

Each model is one mapping of the file, each field one key; unknown keys are errors. The field
descriptions are the source of `docs/scenario.md` and of `portchurn schema`. This file knows what a
scenario means in itself; whether this machine can run it is asked before a run and answered with
arithmetic by `explain`.
"""

from __future__ import annotations

from difflib import get_close_matches
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, model_validator

from simulator.ports.range import DYNAMIC, PortRange
from simulator.scenario.backends import Backends
from simulator.scenario.balancer import Balancer
from simulator.scenario.care import WEIGHTED_POLICIES
from simulator.scenario.fields import (
    MAX_DURATION_NS,
    Count,
    Mapping,
    Ports,
    ReservedPorts,
    TimeNs,
    Where,
    about,
    as_written,
    time_text,
)
from simulator.scenario.kinds import (
    answers_of_echo,
    does_not_suit_kind,
)
from simulator.scenario.nat import Nat, nat_fits
from simulator.scenario.phases import Phase  # noqa: TC001 - read by pydantic
from simulator.scenario.resolver import resolver_fits
from simulator.scenario.sidecar import Sidecar, sidecar_fits
from simulator.scenario.source import Source, SourcePortMode, systems_fit
from simulator.scenario.sysctls import ALLOWED_SYSCTLS
from simulator.scenario.thresholds import parse_threshold
from simulator.scenario.turns import Retry, do_not_go_together
from simulator.units import NS_PER_S

#: All phases together; what is longer than MAX_DURATION_NS is for the model alone.
MAX_PHASES_NS = 24 * MAX_DURATION_NS
#: Fewer ports than this outside kernel.port_range are not worth moving the clients to.
MIN_CLIENT_PORTS = 4_096
#: Modes in which connect() finds the port, and passes over those that somebody bound.
KERNEL_PICKS = ("kernel", "late-bind", "socket-range")
#: Modes in which we name a port in bind().
BINDS_A_PORT = ("userspace", "permanent")


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
    lesson: Annotated[str, Field(max_length=4000)] = Field(
        default="",
        description=(
            "what its variants teach, in paragraphs that blank lines part; stands first on their "
            "page"
        ),
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
    nat: Nat | None = Field(
        default=None,
        description="a NAT before the backends, in the model engine; none unless given",
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
        if self.duration_ns > MAX_PHASES_NS:
            wrong.append(("traffic", "lasts longer than 24 hours in all; shorten the phases"))
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
        wrong += nat_fits(self)
        wrong += systems_fit(self)
        wrong += do_not_go_together(self)
        wrong += does_not_suit_kind(self)
        if wrong:
            raise about(*wrong[0], *wrong[1:])
        self._keep_clients_out_of_the_way()
        wrong += resolver_fits(self)
        if wrong:
            raise about(*wrong[0], *wrong[1:])
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
        if source.range is None or source.rules is not None:
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
