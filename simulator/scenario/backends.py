"""The servers of a scenario: how many, where they listen, how they answer and what goes wrong."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from simulator.ports.allocators import DEFAULT_RANGES, NODE_PORT, NOMAD, AllocatorName
from simulator.ports.range import DYNAMIC, USER, PortRange
from simulator.scenario.churn import Churn  # noqa: TC001 - read by pydantic
from simulator.scenario.distributions import Duration  # noqa: TC001 - read by pydantic
from simulator.scenario.faults import Faults, Stream
from simulator.scenario.fields import Count, Mapping, Ports, TimeNs, about, as_written
from simulator.scenario.flapping import Flapping  # noqa: TC001 - read by pydantic
from simulator.scenario.kinds import KINDS_TEXT, STREAM_TEXT, BackendKind
from simulator.scenario.resolver import Zone

MAX_BACKENDS = 16_384


class Backends(Mapping):
    """Real servers, TCP unless `kind` is dns, each listening on a port it was given dynamically."""

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

    zone: Zone = Field(default_factory=Zone, description="with kind: dns, what there is to ask for")

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
