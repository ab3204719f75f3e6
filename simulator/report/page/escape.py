"""The one place where text becomes part of a page: nothing that was text can become markup.

Whatever is shown goes through `text`, whatever a script reads through `data`. Controls and
direction marks are made visible first, as on a terminal.
"""

from __future__ import annotations

import json
from html import escape
from typing import Any, Final

from simulator.report.safe_text import safe

#: Inside <script> a parser looks for these only; as JSON escapes they mean the same.
_IN_SCRIPT: Final = str.maketrans(
    {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"}
)
_MOST: Final = 4000


def text(value: object, limit: int = _MOST) -> str:
    """Anything as text of an element or of a quoted attribute, on one line."""
    return escape(safe(value, limit), quote=True)


def block(value: str, limit: int = 200_000) -> str:
    """Text of many lines for an element that keeps its line breaks.

    Args:
        value: as given.
        limit: most characters shown; what is cut ends in an ellipsis.
    """
    cut = value if len(value) <= limit else value[: limit - 1] + "…"
    return "\n".join(text(line.expandtabs(4), limit) for line in cut.split("\n"))


def data(name: str, value: Any) -> str:  # noqa: ANN401 - any JSON value
    """JSON that a script of the page reads, as an element with this id.

    Raises:
        ValueError: it holds a number that JSON has no word for.
    """
    body = json.dumps(value, separators=(",", ":"), allow_nan=False).translate(_IN_SCRIPT)
    return f'<script type="application/json" id="{text(name)}">{body}</script>'
