"""What backends speak, as a scenario file says it, and what does not go with it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Final, Literal

from pydantic import BeforeValidator

if TYPE_CHECKING:
    from simulator.scenario.fields import Where
    from simulator.scenario.phases import Phase
    from simulator.scenario.schema import Scenario


def _as_called_now(value: object) -> object:
    """Stored runs from when there was one kind only have its old name."""
    return "stream" if value == "request-response" else value


BackendKind = Annotated[Literal["stream", "echo", "http", "dns"], BeforeValidator(_as_called_now)]

KINDS_TEXT: Final = (
    "what they and the clients speak: `stream` (requests and answers with a head of a few bytes), "
    "`echo` (whatever comes goes back at once, so an answer is as long as its request), `http` "
    "(HTTP/1.1 with keep-alive, GET without and POST with a request body), `dns` (authoritative "
    "servers over UDP, behind `driver: resolver`)"
)
STREAM_TEXT: Final = (
    "answers in paced chunks, not whole; with kind: http by chunked transfer coding"
)
_AT_ONCE: Final = "is not used by kind: echo, which answers at once; leave it out"


def does_not_suit_kind(scenario: Scenario) -> list[tuple[Where, str]]:
    """Keys that a kind of backend could only ignore, and why."""
    kind = scenario.backends.kind
    wrong = _does_not_suit_echo(scenario) if kind == "echo" else []
    if scenario.backends.faults.leaks and kind != "stream":
        wrong.append(("backends.faults.leaks", f"is not done by kind: {kind}, only by stream"))
    return wrong


def _does_not_suit_echo(scenario: Scenario) -> list[tuple[Where, str]]:
    backends = scenario.backends
    given = {
        "service_time": backends.service_time.mean_ns,
        "concurrency": backends.concurrency,
        "stream": backends.stream,
        "faults.error_rate": backends.faults.error_rate,
        "faults.slow": backends.faults.slow,
    }
    wrong: list[tuple[Where, str]] = [
        (f"backends.{key}", _AT_ONCE) for key, value in given.items() if value
    ]
    if scenario.balancer.close == "backend":
        what = "is backend, but an echo goes on until its client closes; write client or reset"
        wrong.append(("balancer.close", what))
    for index, phase in enumerate(scenario.traffic):
        if not phase.request_size and phase.requests.mean:
            what = "is 0B, and of nothing there is no echo; give it a byte"
            wrong.append((f"traffic.{index}.request_size", what))
        if _contradicts_echo(phase):
            what = "is not the size of the request, as an echo is; leave it out"
            wrong.append((f"traffic.{index}.response_size", what))
    return wrong


def _contradicts_echo(phase: Phase) -> bool:
    return "response_size" in phase.model_fields_set and phase.response_size != phase.request_size


def answers_of_echo(scenario: Scenario) -> None:
    """Make the size of answers that of the requests, where backends send them back.

    The scenario is still being validated and nobody has seen it: frozen means frozen after this.
    """
    if scenario.backends.kind != "echo":
        return
    phases = tuple(
        phase.model_copy(update={"response_size": phase.request_size}) for phase in scenario.traffic
    )
    object.__setattr__(scenario, "traffic", phases)
