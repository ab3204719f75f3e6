"""How a run stands now, from what its folder tells: the few numbers that change all the time."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any, Final

from pydantic import ValidationError

from simulator.errors import UsageError
from simulator.report.safe_text import safe
from simulator.report.track import Track
from simulator.scenario.schema import Scenario
from simulator.units import NS_PER_S

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from simulator.store.growing import News

#: Rates are over so much time.
_WINDOW_S: Final = 1.0
_STATES: Final = ("established", "time_wait", "other")


class Headline:
    """The newest numbers of one run.

    Args:
        manifest: of the run.

    Raises:
        UsageError: its scenario is none that this version knows.
    """

    def __init__(self, manifest: Mapping[str, Any]) -> None:
        try:
            scenario = Scenario.model_validate(manifest.get("scenario_resolved"))
        except ValidationError:
            version = manifest.get("version")
            raise UsageError(
                f"The run was made by version {version}, whose scenario this one does not know."
            ) from None
        variant = manifest.get("variant")
        named = f" [{variant}]" if variant else ""
        self._title = safe(f"{manifest.get('title', '')}{named}", 200)
        self._duration_s = scenario.duration_ns / NS_PER_S
        self._elapsed_s: float | None = None
        self._phases: list[tuple[float, str]] = []
        self._state = ""
        self._tracks: dict[str, Track] = {}
        self._hops: dict[str, Mapping[str, Any]] = {}
        self._window: deque[tuple[float, float, int, int, int]] = deque()

    def take(self, news: News, now_s: float) -> dict[str, Any]:
        """What to tell after some news, as plain JSON values.

        Args:
            news: since the last time.
            now_s: when it was read, by any steady clock.
        """
        for sample in news.samples:
            self._sample(sample)
        for event in news.events:
            self._event(event)
        counts = news.counts
        ok, failed = counts.get("OK", 0), counts.get("FAILED", 0)
        sent = ok + failed + counts.get("OPEN", 0)
        elapsed_s = self._elapsed_s or 0.0
        return {
            "is": "now",
            "title": self._title,
            "state": self._standing(),
            "phase": self._phase(elapsed_s),
            "elapsed_s": elapsed_s,
            "left_s": max(0.0, self._duration_s - elapsed_s),
            "planned": sum(counts.values()),
            "sent": sent,
            "ok": ok,
            "failed": failed,
            "open": counts.get("OPEN", 0),
            "rates": self._rates(now_s, elapsed_s, news.due, sent, ok),
            "hops": [self._hop(name, hop) for name, hop in self._hops.items()],
        }

    def _sample(self, sample: Mapping[str, Any]) -> None:
        t_s = int(sample["t_ns"]) / NS_PER_S
        self._elapsed_s = max(t_s, self._elapsed_s or 0.0)
        hops = sample.get("hops")
        for name, hop in hops.items() if isinstance(hops, dict) else ():
            budget = hop.get("budget") if isinstance(hop, dict) else None
            if not isinstance(budget, int):
                continue
            worst = hop.get("worst") or {}
            found = {state: int(worst.get(state, 0)) for state in _STATES}
            self._hops[name] = found | {"budget": budget}
            self._tracks.setdefault(name, Track()).note(t_s, sum(found.values()), budget)

    def _event(self, event: Mapping[str, Any]) -> None:
        name = event.get("event")
        if name == "phase":
            self._phases.append((int(event.get("t_ns", 0)) / NS_PER_S, str(event.get("name"))))
        elif name in ("stopping", "ended"):
            self._state = str(name)

    def _standing(self) -> str:
        if self._state or self._elapsed_s is None:
            return self._state or "starting"
        return "running" if self._elapsed_s < self._duration_s else "draining"

    def _phase(self, elapsed_s: float) -> str:
        begun = [name for begin_s, name in self._phases if begin_s <= elapsed_s]
        return safe(begun[-1], 64) if begun else ""

    def _rates(
        self, now_s: float, elapsed_s: float, due: int, sent: int, ok: int
    ) -> dict[str, float]:
        self._window.append((now_s, elapsed_s, due, sent, ok))
        while len(self._window) > 2 and now_s - self._window[1][0] >= _WINDOW_S:
            self._window.popleft()
        then_s, then_elapsed_s, *then = self._window[0]
        # What was due is known by the run's clock, what was sent by the moment it was counted.
        spans: Sequence[float] = (elapsed_s - then_elapsed_s, now_s - then_s, now_s - then_s)
        return {
            name: (new - old) / span if span > 0 else 0.0
            for name, new, old, span in zip(
                ("asked", "sent", "ok"), (due, sent, ok), then, spans, strict=True
            )
        }

    def _hop(self, name: str, hop: Mapping[str, Any]) -> dict[str, Any]:
        track = self._tracks[name]
        shares = [round(share, 4) for share in track.shares(60)]
        return {"name": safe(name, 64), **hop, "outlook": track.outlook(), "course": shares}
