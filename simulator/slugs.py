"""Names as parts of paths: no text from outside becomes a path, only a slug that is made of it."""

from __future__ import annotations

import hashlib
import re
from typing import Final

#: Our own link to the newest run; nothing else may be called so.
LATEST: Final = "latest"
MAX_SLUG: Final = 64
_SLUG: Final = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")


def is_slug(name: str) -> bool:
    """Whether a name is safe as one path component: ``[a-z0-9-]``, 1 to 64 characters."""
    return len(name) <= MAX_SLUG and _SLUG.fullmatch(name) is not None


def slug(text: str) -> str:
    """A safe path component for any text; texts that differ get different slugs.

    Case, blanks, underscores and dots become minus signs. When more than that is lost, eight
    hexadecimal digits of the text's BLAKE2b are added, so that two texts never share a folder
    by accident.
    """
    plain = re.sub(r"[ _.]", "-", text.lower())
    made = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")
    if made == plain and is_slug(made) and made != LATEST:
        return made
    digest = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=4).hexdigest()
    head = made[: MAX_SLUG - 9].strip("-") or "run"
    return f"{head}-{digest}"
