"""Someone who looks at a live page without a browser: hears its news, presses its button."""

from __future__ import annotations

import json
from contextlib import closing
from dataclasses import dataclass
from http.client import HTTPConnection
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.command import Running


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """A link as it was printed, taken apart."""

    url: str
    port: int
    token: str

    @property
    def headers(self) -> dict[str, str]:
        """What shows the token."""
        return {"Authorization": f"Bearer {self.token}"}

    def news(self) -> Iterator[dict[str, Any]]:
        """Every message, until the page says that it is over."""
        with closing(HTTPConnection("127.0.0.1", self.port, timeout=60)) as connection:
            connection.request("GET", "/events", headers=self.headers)
            answer = connection.getresponse()
            assert answer.status == 200, answer.read()
            while line := answer.readline():
                if line.startswith(b"data: "):
                    yield from json.loads(line[len(b"data: ") :])

    def stop(self) -> str:
        """Press the button; what the page answers."""
        with closing(HTTPConnection("127.0.0.1", self.port, timeout=60)) as connection:
            connection.request("POST", "/stop", headers=self.headers)
            return connection.getresponse().read().decode()


def parse(line: str) -> Link:
    """The link in a line such as ``Live: http://127.0.0.1:4711/#word``."""
    word, _, url = line.strip().partition(" ")
    assert word == "Live:", line
    base, _, token = url.partition("#")
    return Link(url=url, port=int(base.rstrip("/").rpartition(":")[2]), token=token)


def link_of(running: Running) -> Link:
    """The link that `portchurn run --live` prints first."""
    assert running.process.stderr is not None
    return parse(running.process.stderr.readline())
