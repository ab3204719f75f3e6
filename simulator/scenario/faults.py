"""What goes wrong at backends by design, and how a stream is paced."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from simulator.scenario.fields import Mapping, SizeBytes, TimeNs, as_written


class Faults(Mapping):
    """Backends that answer badly; who holds a port but does not listen is `refusing`."""

    error_rate: Annotated[float, Field(ge=0, le=1, strict=True, allow_inf_nan=False)] = Field(
        default=0.0,
        description=(
            "share of requests answered by a reset, or by a 500 with kind: http, after their "
            "service time"
        ),
    )
    slow: Annotated[int, Field(ge=0, strict=True)] = Field(
        default=0, description="the last so many backends are slow"
    )
    slow_factor: Annotated[float, Field(gt=0, le=1000, strict=True, allow_inf_nan=False)] = Field(
        default=10.0, description="how many times the service time a slow backend takes"
    )
    hanging: Annotated[int, Field(ge=0, strict=True)] = Field(
        default=0,
        description=(
            "so many backends after the refusing ones never answer; the kernel still completes "
            "connections to them"
        ),
    )
    leaks: Annotated[float, Field(ge=0, le=1, strict=True, allow_inf_nan=False)] = Field(
        default=0.0,
        description=(
            "share of connections whose descriptor is kept after the other side has closed, so "
            "that this one stays in CLOSE_WAIT and the other in FIN_WAIT2"
        ),
    )


class Stream(Mapping):
    """An answer that comes in paced chunks, as a model server sends its tokens."""

    chunk: SizeBytes = Field(
        default=as_written("64B"), gt=0, le=1 << 16, description="bytes of one chunk"
    )
    every: TimeNs = Field(
        default=as_written("20ms"), gt=0, description="time between two chunks of an answer"
    )
