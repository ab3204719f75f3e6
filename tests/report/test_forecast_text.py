"""A forecast as people read it."""

from __future__ import annotations

from simulator.preflight.predict import predict
from simulator.report.forecast_text import forecast_text
from tests.support.scenarios import small

WALLED = [
    "backends={count: 1, ports: random, range: 20000-29999}",
    "kernel={port_range: 50000-50499, time_wait: 500ms}",
    "traffic.0.arrivals={constant: 1500/s}",
]


def lines(*flags: str, variant: str = "") -> list[str]:
    return forecast_text("a title", variant, predict(small(*flags))).splitlines()


def test_the_first_sentence_is_the_verdict_with_its_arithmetic() -> None:
    text = lines(*WALLED, variant="one")
    assert text[0] == "a title  [one]"
    assert text[1].startswith("The balancer will run out of source ports on balancer-backend after")
    assert "500 ports / (500ms TIME_WAIT + 0ns open) = 1,000/s, asked up to 1,500/s" in text[1]
    assert text[1].endswith("500 of 1,500 connections (33.3 %) will fail.")
    assert text[2] == "EXPECTED  verdict balancer-source-ports"
    assert text[3] == "  1,500 connections asked for: 1,000 ok, 500 failed"


def test_the_tables_name_hops_and_phases_and_end_without_blanks() -> None:
    text = lines(*WALLED)
    (hop,) = [line for line in text if line.startswith("  balancer-backend")]
    assert hop.split()[:6] == ["balancer-backend", "500", "1,000/s", "334ms", "500", "500"]
    assert hop.endswith("251 to 500") or " to " in hop
    (phase,) = [line for line in text if line.startswith("  only")]
    assert "fluid limit" in phase
    assert "500 TIME_WAIT" in phase
    assert all(line == line.rstrip() for line in text)


def test_what_is_not_known_is_said_with_its_reason() -> None:
    text = lines(*WALLED, "clients.retry={attempts: 2}")
    assert text[2] == "EXPECTED  verdict balancer-source-ports, as far as ports go"
    assert text[3].endswith(": - ok, - failed")
    assert (
        "  clients.retry: what fails is asked again, so that the load depends on the loss" in text
    )


def test_chance_is_told_and_control_characters_are_not_passed_on() -> None:
    text = forecast_text("a\x1b[2Jb", "", predict(small("traffic.0.arrivals={poisson: 100/s}")))
    assert "(give or take 10, by seed)" in text
    assert "\x1b" not in text
    assert text.endswith("\n")
