"""`portchurn schema` prints the schema that editors take."""

from __future__ import annotations

import jsonschema

from simulator.scenario.json_schema import scenario_json_schema
from tests.support.command import portchurn


def test_it_prints_the_schema_and_nothing_else() -> None:
    done = portchurn("schema")
    assert (done.code, done.err) == (0, "")
    assert done.json == scenario_json_schema()
    jsonschema.Draft202012Validator.check_schema(done.json)
