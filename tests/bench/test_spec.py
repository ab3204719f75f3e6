"""What a bench says of itself."""

from __future__ import annotations

from simulator.bench.spec import Bench, Option


def test_defaults_are_those_of_its_options() -> None:
    options = (
        Option(name="ports", default=10, least=1, most=20, text="Ports."),
        Option(name="seconds", default=0.5, least=0.1, most=2, text="Seconds.", whole=False),
    )
    bench = Bench(name="x", question="?", units={}, versions=dict, options=options)
    assert bench.defaults() == {"ports": 10, "seconds": 0.5}
