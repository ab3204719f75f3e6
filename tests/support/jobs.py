"""Small jobs for an engine in this process, and watches that ask it to stop."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from simulator.store.write import RunWriter, create_run
from simulator.traffic.plan import make_plan
from tests.support.runs import scenario

if TYPE_CHECKING:
    from pathlib import Path

    from simulator.engine import Progress
    from simulator.scenario.schema import Scenario


def steady(seconds: str = "600ms", **changes: Any) -> Scenario:  # noqa: ANN401 - scenario values
    """A hundred connections a second, with ports and waits that a test can tell from others."""
    given: dict[str, Any] = {
        "kernel": {"port_range": "50000-50999", "time_wait": "500ms"},
        "backends": {"count": 3, "processes": 2, "ports": "random", "range": "20000-20999"},
        "traffic": [{"name": "steady", "for": seconds, "arrivals": {"constant": "100/s"}}],
        "grace": "1s",
    }
    return scenario(**{**given, **changes})


def write_job(root: Path, asked: Scenario) -> RunWriter:
    """A run's folder with its plan, ready for an engine; close the writer when done."""
    plan = make_plan(asked)
    return create_run(
        root,
        slug="job",
        text="",
        scenario=asked,
        variant="",
        engine="kernel",
        command=["portchurn"],
        plan=plan.files,
        host={},
    )


class Watcher:
    """A watch that keeps what it was shown, and asks to stop as soon as a state is reached."""

    def __init__(self, *, stop_in: str = "", level: int = 0) -> None:
        self.states: list[str] = []
        self._stop_in = stop_in
        self._level = level

    def show(self, progress: Progress) -> None:
        """Keep the state, once."""
        if progress.state not in self.states:
            self.states.append(progress.state)

    def stop_level(self) -> int:
        """The level, from the state on."""
        return self._level if self._stop_in in self.states else 0
