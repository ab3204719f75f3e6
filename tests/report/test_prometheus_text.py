"""The metrics page, by the grammar of Prometheus' text format."""

from __future__ import annotations

import re
from math import inf

from simulator.report.prometheus_text import metrics
from tests.report.test_watch_text import destination, look

LABEL = r'[a-z_]+="[^"\\\n]*"'
SAMPLE = re.compile(rf"([a-z_]+)(?:\{{({LABEL}(?:,{LABEL})*)\}})? (\S+)")


def test_every_line_is_of_the_format_and_every_sample_has_its_type() -> None:
    page = metrics(look(destination(), destination(destination="::1", wall_s=3.5)))
    assert page.endswith("\n")
    typed, samples = set(), []
    for line in page.splitlines():
        if line.startswith("# TYPE "):
            typed.add(line.split()[2])
        elif not line.startswith("# HELP "):
            match = SAMPLE.fullmatch(line)
            assert match, line
            assert match[1] in typed
            samples.append((match[1], match[2], float(match[3])))
    assert len({(name, labels) for name, labels, _ in samples}) == len(samples)
    values = {(name, labels): value for name, labels, value in samples}
    far = 'source="10.0.0.1",destination="10.0.0.9",port="443"'
    assert values["portchurn_seconds_to_wall", far] == inf
    assert values["portchurn_tuples", f'{far},state="time_wait"'] == 18_000
    assert values["portchurn_tuple_budget", None] == 28_200


def test_an_idle_host_has_a_page_too() -> None:
    assert "portchurn_tuple_budget 28200\n" in metrics(look())
