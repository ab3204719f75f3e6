"""The JSON Schema of a summary: what `summary.json` holds, for programs that read it.

    python -m simulator.measure.summary_schema > docs/summary.schema.json

Fields may be added within ``portchurn.summary/1`` and never change their meaning, so readers must
let pass what they do not know: no object here is closed.
"""

from __future__ import annotations

import json
import sys
from typing import Any, Final

from simulator.measure.connect_cost import BUCKETS
from simulator.measure.summary import SCHEMA
from simulator.records import NOT_SENT
from simulator.scenario.thresholds import HOPS, LATENCIES, RETRIES, VERDICTS

Node = dict[str, Any]

TEXT: Final[Node] = {"type": "string"}
COUNT: Final[Node] = {"type": "integer", "minimum": 0}
NUMBER: Final[Node] = {"type": "number"}
FLAG: Final[Node] = {"type": "boolean"}
ANY: Final[Node] = {"type": "object"}


def _said(node: Node, text: str) -> Node:
    return {**node, "description": text}


def _or_none(node: Node, text: str = "") -> Node:
    made: Node = {"anyOf": [node, {"type": "null"}]}
    return _said(made, text) if text else made


def _object(**fields: Node) -> Node:
    return {"type": "object", "required": sorted(fields), "properties": fields}


def _list(item: Node) -> Node:
    return {"type": "array", "items": item}


def _map(value: Node) -> Node:
    return {"type": "object", "additionalProperties": value}


def _named(names: tuple[str, ...] | list[str], value: Node) -> Node:
    return _object(**dict.fromkeys(names, value))


_SHARE: Final[Node] = {"type": "number", "minimum": 0, "maximum": 1}
_NS: Final = _or_none(COUNT, "ns; null with fewer than ten samples beyond it")
_LATENCY: Final = _object(count=COUNT, p50=_NS, p90=_NS, p99=_NS, p999=_NS, max=_or_none(COUNT))
_RATES: Final = _named(["asked", "sent", "ok"], {"type": "number", "minimum": 0})
_INTERVAL: Final = _or_none({**_list(NUMBER), "minItems": 2, "maxItems": 2})
_DISTANCE: Final = _or_none(_named(["min", "median"], NUMBER), "null when no tuple came back")
_ERRORS: Final = _said(_map(COUNT), "hop/call/ERRNO -> failed connections, by root cause")
_WORST: Final = _or_none(ANY, "the fullest group; its keys are those of samples.jsonl")


def _verdict() -> Node:
    return _object(
        code={"enum": list(VERDICTS)},
        hop=_or_none({"enum": list(HOPS)}),
        sentence=_said(TEXT, "the finding in one sentence"),
        remedies=_said(_list(TEXT), "what would mend it, most gain first"),
        evidence=_said(ANY, "the numbers behind the sentence; keys depend on the code"),
    )


def _hop() -> Node:
    use = _object(
        connections=_said(COUNT, "whose port is known"),
        unknown=_said(COUNT, "whose port the kernel picked and nobody asked for"),
        ports=_said(COUNT, "ports that are picked from"),
        distinct=_said(COUNT, "of these, how many were used"),
        outside=_said(COUNT, "connections from other ports"),
        jain=_or_none(_SHARE, "1 when all ports were used alike"),
        dispersion=_or_none(NUMBER, "chi-square for each degree of freedom: 1 as if at random"),
        returns=_said(COUNT, "how often a tuple came back"),
        reuse_connections=_DISTANCE,
        reuse_s=_DISTANCE,
    )
    return _object(
        name={"enum": list(HOPS)},
        sources=COUNT,
        destinations=COUNT,
        budget=_said(COUNT, "tuples of one group"),
        in_use_peak=COUNT,
        established_peak=COUNT,
        time_wait_peak=COUNT,
        time_wait_side=_or_none({"enum": ["connect", "accept"]}, "the ends that closed first"),
        half_closed_peak=_said(COUNT, "most connections that one side only had closed"),
        distinct_ports=COUNT,
        exhausted_at_s=_or_none(NUMBER, "when no port was found first; null = never"),
        worst=_WORST,
        port_use=use,
    )


def _bucket() -> Node:
    return _object(
        **{"from": _SHARE, "to": _SHARE},
        n=COUNT,
        failures=COUNT,
        p50=_NS,
        p90=_NS,
        p99=_NS,
        max=_or_none(COUNT),
        failed_max=_or_none(COUNT),
    )


def _dns() -> Node:
    forgery = _object(
        packets=_said(COUNT, "forged answers that were sent"),
        received=_said(COUNT, "of them, those that reached the resolver"),
        questions=_said(COUNT, "asked of servers"),
        believed=_said(COUNT, "of these, those that a forged answer ended"),
        share=_or_none(_SHARE),
        interval=_INTERVAL,
        servers=COUNT, ports=COUNT, idents=COUNT,
        within=_said(NUMBER, "F: mean of forged answers while a question waited"),
        odds=_said(_SHARE, "F / (servers x ports x idents), RFC 5452 section 7.2"),
        expected=_said(NUMBER, "questions times that"),
    )  # fmt: skip
    return _object(
        asked=COUNT, answered=COUNT, retries=COUNT, timeouts=COUNT, cached=COUNT,
        malformed=_said(COUNT, "questions of clients that were none"),
        refused_id=_said(COUNT, "answers that no open question on that port has the ID of"),
        refused_address=COUNT, refused_question=COUNT, refused_malformed=COUNT,
        pool=_object(
            size=COUNT, range=TEXT, usable=COUNT, lost_races=COUNT,
            seen_by_kernel=_said(COUNT, "ports that its own table shows as bound on all addresses"),
        ),
        observed=_object(
            questions=COUNT, ports=COUNT, ports_expected=_or_none(NUMBER),
            pairs=_said(COUNT, "of port and ID"),
        ),
        forgery=_or_none(forgery, "null = nobody forged"),
        stolen=_said(COUNT, "services whose fixed port the pool had taken"),
        robbed=_said(_list(TEXT), "address:port of each"),
    )  # fmt: skip


def _fields() -> dict[str, Node]:
    """Every field of a summary, in the order that it has there."""
    reasons = ", ".join(sorted(set(NOT_SENT.values())))
    phase = _object(
        name=TEXT, warmup=FLAG, start_s=NUMBER, end_s=NUMBER,
        asked=COUNT, sent=COUNT, ok=COUNT, failed=COUNT, rates_per_s=_RATES,
    )  # fmt: skip
    recovery = _object(
        t_s=NUMBER, event=TEXT, how=_or_none(TEXT), backends=_list(_or_none({"type": "integer"})),
        ok_before=_or_none(_SHARE), ok_lowest=_or_none(_SHARE),
        recovery_s=_or_none(NUMBER, "null = not within the run, or unknown"),
    )  # fmt: skip
    cost = _object(
        hop={"enum": list(HOPS)},
        method=_or_none({"enum": ["order", "samples", "exact"]}),
        unit=_said({"enum": ["ns", "probes"]}, "of the costs; probes are ports looked at"),
        knee=_or_none(NUMBER, "share of the budget in use where the cost jumps, null = nowhere"),
        buckets=_said({**_list(_bucket()), "maxItems": BUCKETS}, "by share of the budget in use"),
    )
    return {
        "schema": {"const": SCHEMA},
        "run": _or_none(TEXT, "the run's id"),
        "started": _or_none(TEXT, "UTC, a label"),
        "engine": {"enum": ["kernel", "model"]},
        "model": _or_none(
            _object(
                path={"enum": ["events", "stretches", "streamed", "compiled"]},
                sent=COUNT, took_s=NUMBER, per_s=NUMBER,
                unvalidated=_said(_list(TEXT), "never held against the kernel"),
            ),
            "how the model did it; null where the kernel did",
        ),
        "verdict": _verdict(),
        "valid": _said(FLAG, "false: the numbers do not answer the question of the scenario"),
        "doubts": _list(_object(code=TEXT, message=TEXT, remedy=TEXT, invalid=FLAG)),
        "notes": _list(TEXT),
        "incomplete": _said(_list(TEXT), "what is missing from the results, and why"),
        "attempts": _object(
            planned=COUNT, sent=COUNT, ok=COUNT, failed=COUNT, open_at_end=COUNT,
            not_sent=_said(_map(COUNT), f"reason ({reasons}) -> connections"), errors=_ERRORS,
        ),
        "loop": _object(kind={"enum": ["open", "closed"]}, users=_said(COUNT, "0 if open")),
        "retries": _or_none(
            _named([name.removeprefix("retries.") for name in RETRIES], COUNT),
            "null when clients do not retry",
        ),
        "rates_per_s": _RATES,
        "latency_ns": _named(list(LATENCIES), _LATENCY),
        "precision": _object(
            latency_ns=_said(
                _named(list(LATENCIES), _map(_INTERVAL)), "95 %, by order statistics"
            ),
            failed=_object(
                share=_or_none(_SHARE),
                interval=_INTERVAL,
                at_most=_or_none(_SHARE, "given when none failed: 3/N"),
            ),
        ),
        "hops": _said({**_list(_hop()), "minItems": 1, "maxItems": 4}, "the clients' first"),
        "connections": _named(["peak_concurrent", "opened", "closed"], COUNT),
        "backends": _object(
            count=COUNT, ports=_map(_list(COUNT)), moves=COUNT, lost_races=COUNT,
            picks=_map(COUNT), jain=_or_none(_SHARE), picks_ideal=NUMBER,
            picks_dispersion=_or_none(NUMBER), left=COUNT, back=COUNT, waits=COUNT, drained=COUNT,
            cut=COUNT, hung=COUNT, refused_after_move=COUNT,
            misdelivered=_said(COUNT, "connects that reached another backend's port"),
            overlaps=_said(COUNT, "ports held by two at once: always 0, or it is our bug"),
            flaps=_said(COUNT, "times that a backend stopped listening and kept its port"),
            refused_while_down=_said(COUNT, "connects refused meanwhile, retried or not"),
            stolen=_said(COUNT, "listening ports that a connection had taken meanwhile"),
            self_connects=_said(COUNT, "connects whose other end was their own"),
        ),
        "recoveries": _list(recovery),
        "nat": _or_none(
            _object(
                preset=TEXT, kind=TEXT, hosts=COUNT, rule=_said(ANY, "every number of it"),
                served=_said(COUNT, "hosts that have any port"),
                ports=_said(COUNT, "of each part that shares none"),
                flows=_said(COUNT, "connections that found a place"),
                places=_said(COUNT, "addresses and ports ever used"),
                asks=_said(COUNT, "times that a host asked for more ports"),
                refused=_said(_map(COUNT), "shortage -> connections that found no place"),
            ),
            "the NAT before the backends; null = none",
        ),
        "care": _said(_map(COUNT), "what the balancer did for its backends; {} = only relay"),
        "driver": _or_none(
            _object(
                name=TEXT, version=_or_none(TEXT),
                config=_or_none(TEXT, "path in the run's folder"),
                counters=_said(_map(COUNT), "under the names that it gives them"),
            ),
            "a balancer of others; null = our own, or none",
        ),
        "dns": _or_none(_dns(), "what a resolver came to; null = there is none"),
        "cpu": _map(_or_none(NUMBER)),
        "memory": _map(_or_none(NUMBER)),
        "phases": _list(phase),
        "connect_cost": _map(cost),
        "attributed": _said(COUNT, "failures whose cause the balancer's own record gave"),
        "counters": _said(_map({"type": "integer"}), "the kernel's, over the run"),
        "sysctls": _said(ANY, "as read back in the namespace"),
        "name": _or_none(TEXT, "the scenario's slug"),
        "scenario": _said(ANY, "with every default filled in"),
        "variant": TEXT,
        "seed": _or_none(COUNT),
        "environment": ANY,
        "thresholds": _list(
            _object(text=TEXT, value=_or_none({"type": ["number", "string"]}), holds=FLAG)
        ),
    }  # fmt: skip


def summary_schema() -> Node:
    """The JSON Schema, draft 2020-12, of `portchurn.summary/1`."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": SCHEMA,
        "description": (
            "What a run says. Times are ns where the name says so and seconds in *_s; rates are "
            "per second. Fields may be added, and readers let pass what they do not know."
        ),
        **_object(**_fields()),
    }


if __name__ == "__main__":
    sys.stdout.write(json.dumps(summary_schema(), indent=1) + "\n")
