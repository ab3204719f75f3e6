"""Text from outside made fit for a terminal: names, titles and errors are shown, never obeyed.

A title may hold escape sequences, bidirectional overrides or line breaks. Each such character is
replaced by a visible mark, so that it is seen to have been there and does nothing.
"""

from __future__ import annotations

import unicodedata
from typing import Final

MARK: Final = "\N{REPLACEMENT CHARACTER}"
#: Control, format (bidi overrides and joiners), surrogate, private, unassigned; line separators.
_UNSHOWN: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
DASH: Final = "–"


def safe(text: object, limit: int = 500) -> str:
    """The text on one line, with every character that is not meant to be seen replaced.

    Args:
        text: anything; what is not a string is converted.
        limit: longest result in characters; what is cut ends in an ellipsis.
    """
    whole = text if isinstance(text, str) else str(text)
    cut = whole if len(whole) <= limit else whole[: limit - 1] + "…"
    return "".join(map(_shown, cut))


def _shown(char: str) -> str:
    category = unicodedata.category(char)
    if category == "Zs":  # a blank of any width is a blank
        return " "
    return MARK if category in _UNSHOWN else char
