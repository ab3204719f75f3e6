"""The balancer of a scenario: the relay between clients and backends, and its policy."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from simulator.scenario.care import (
    DEFAULT_PANIC,
    KEYED_POLICIES,
    Ejection,
    HealthChecks,
    PolicyName,
    Queue,
    RetryBudget,
    care_is_used,
)
from simulator.scenario.compiled import compiled_can
from simulator.scenario.config_file import ConfigName  # noqa: TC001 - read by the model
from simulator.scenario.driver import DriverName, driver_can
from simulator.scenario.fields import Count, Mapping, SizeBytes, TimeNs, about, as_written
from simulator.scenario.resolver import Resolver
from simulator.scenario.source import Source


class Policy(Mapping):
    """How a backend is picked: a name, or `{choices: 3}` for the best of so many at random."""

    name: PolicyName = Field(description="the rule")
    choices: Annotated[int, Field(ge=1, le=64, strict=True)] = Field(
        default=2, description="how many candidates `choices` compares"
    )
    key: Literal["address", "connection"] = Field(
        default="address",
        description=(
            "what the hash policies (`source-hash`, `ring-hash`, `bounded-hash`, `maglev`) go by: "
            "the client's `address`, or address and port, another one for each `connection`"
        ),
    )
    bound: Annotated[float, Field(gt=1, le=100)] = Field(
        default=1.25,
        description="`bounded-hash`: no backend has more than so many times the mean load",
    )

    @model_validator(mode="before")
    @classmethod
    def _short_forms(cls, value: object) -> object:
        if isinstance(value, str):
            return {"name": value}
        if isinstance(value, dict) and set(value) == {"choices"}:
            return {"name": "choices", **value}
        return value

    @model_validator(mode="after")
    def _choices_are_used(self) -> Policy:
        if self.choices != 2 and self.name != "choices":
            raise about("choices", f"is not used by {self.name}; write {{choices: {self.choices}}}")
        if self.key != "address" and self.name not in KEYED_POLICIES:
            raise about("key", f"is not used by {self.name}, which looks at no client; delete it")
        if self.bound != 1.25 and self.name != "bounded-hash":
            raise about("bound", f"is not used by {self.name}; delete it, or name bounded-hash")
        return self


class Balancer(Mapping):
    """The relay between clients and backends, and how it takes source ports toward them."""

    driver: DriverName = Field(
        default="own",
        description=(
            "`own` relay; `haproxy` or `nginx`, the program as this machine has it, with a "
            "configuration made from the keys below (docs/drivers.md); `none`: clients connect "
            "straight to the backends; or `resolver`: stub clients ask it by UDP, and it asks "
            "backends of kind dns"
        ),
    )
    config: ConfigName | None = Field(
        default=None,
        description=(
            "a configuration of your own for `haproxy` or `nginx`: a file below the scenario's "
            "folder, with the placeholders of docs/drivers.md; the keys below are then only what "
            "the arithmetic goes by"
        ),
    )
    compiled: bool = Field(
        default=False,
        description=(
            "the `own` relay's hot loop as machine code, made by numba (`pip install "
            "'portchurn[jit]'`): a fifth less CPU for a connection, a second more to start, and "
            "none of the keys that look after backends"
        ),
    )
    policy: Policy = Field(
        default_factory=lambda: Policy(name="round-robin"), description="how a backend is picked"
    )
    workers: Annotated[Count, Field(le=64)] = Field(
        default=1, description="relay processes on one port"
    )
    source: Source = Field(
        default_factory=Source, description="source addresses and ports toward backends"
    )
    close: Literal["client", "balancer", "backend", "reset"] = Field(
        default="client",
        description=(
            "who closes first, and so keeps the tuple in TIME_WAIT: `client` (the balancer "
            "passes it on, so both keep one), `balancer` (its idle_timeout ends the connection), "
            "`backend` (nobody's ephemeral port is held), `reset` (nothing is kept anywhere)"
        ),
    )
    half_close: bool = Field(
        default=True,
        description=(
            "whether the end of one side's stream is passed on and the other side's awaited, so "
            "that an answer may follow a client's last word; or `false`: whoever ends first ends "
            "both, which is nginx's way unless told otherwise, and leaves no half open for long"
        ),
    )
    connect_timeout: TimeNs = Field(
        default=as_written("3s"), gt=0, description="longest wait for a backend to accept"
    )
    retries: Annotated[int, Field(ge=0, le=16, strict=True)] = Field(
        default=1, description="further backends tried when a connect fails"
    )
    idle_timeout: TimeNs = Field(
        default=as_written("60s"), gt=0, description="a connection silent for so long is closed"
    )
    buffer: SizeBytes = Field(
        default=as_written("64KiB"),
        ge=1024,
        description="most bytes held for one direction; from 64KiB on, bulk may be held in a pipe "
        "of 1MiB instead, in 16 directions of a worker at once",
    )
    backlog: Annotated[Count, Field(le=65535)] = Field(
        default=4096, description="accept queue asked for"
    )
    descriptors: Annotated[Count, Field(ge=32)] | None = Field(
        default=None, description="descriptor limit of each relay process"
    )
    learns_after: TimeNs = Field(
        default=as_written("100ms"),
        description="how long after a backend came or went whoever picks backends is told of it",
    )
    health_checks: HealthChecks | None = Field(
        default=None, description="connects that only ask whether a backend is there"
    )
    ejection: Ejection | None = Field(
        default=None,
        description="a backend whose connects (or answers) fail is left out for a while",
    )
    panic: Annotated[float, Field(ge=0, le=1)] = Field(
        default=DEFAULT_PANIC,
        description="with fewer than this share of backends fit, all are picked again",
    )
    cap: Count | None = Field(
        default=None,
        description="most connections to one backend from one relay process; more wait in `queue`",
    )
    queue: Queue = Field(
        default_factory=Queue, description="where connections wait, if `cap` or `on_no_port` say so"
    )
    on_no_port: Literal["refuse", "queue"] = Field(
        default="refuse",
        description="out of source ports: `refuse` the client, or let it wait in the `queue`",
    )
    slow_start: TimeNs = Field(
        default=as_written("0ms"),
        description="a backend that comes during the run gets its full share after so long",
    )
    retry_budget: RetryBudget | None = Field(
        default=None, description="bounds retries, so that failures do not multiply the load"
    )
    load_age: TimeNs = Field(
        default=as_written("0ms"),
        description="how old the connection counts are that the policy compares",
    )
    resolver: Resolver | None = Field(
        default=None, description="of `driver: resolver`, which has its defaults unless given"
    )

    @model_validator(mode="before")
    @classmethod
    def _haproxy_takes_ports_in_turn(cls, value: Any) -> Any:  # noqa: ANN401 - anything given
        """What `pick` is unless given, where the driver knows one way only."""
        if not isinstance(value, dict) or value.get("driver") != "haproxy":
            return value
        source = value.get("source")
        if not isinstance(source, dict) or source.get("ports") != "userspace":
            return value
        return {**value, "source": {"pick": "sequential", **source}}

    @model_validator(mode="after")
    def _care_is_used(self) -> Balancer:
        if self.driver == "resolver" and self.resolver is None:
            # Still being validated, nobody has seen the value yet: frozen means frozen after this.
            object.__setattr__(self, "resolver", Resolver())
        care_is_used(self)
        driver_can(self)
        compiled_can(self)
        return self
