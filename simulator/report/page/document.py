"""One HTML file out of sections: style and script inside, and a policy that lets nothing else in.

The content policy of the page forbids every request and every script but those whose digests it
names, so that text that slipped through would still do nothing.

Source: Content Security Policy Level 3, W3C; HTML Living Standard, 4.12.1.
"""

from __future__ import annotations

from base64 import b64encode
from functools import cache
from hashlib import blake2b, sha256
from pathlib import Path
from typing import TYPE_CHECKING, Final

from simulator.report.page.escape import text
from simulator.report.page.parts import section

if TYPE_CHECKING:
    from collections.abc import Sequence

    from simulator.report.page.parts import Section

_HERE: Final = Path(__file__).parent


@cache
def library() -> str:
    """The script that draws charts, as the plotly package ships it."""
    from importlib.util import find_spec

    found = find_spec("plotly")
    assert found is not None, "a dependency of this package"
    assert found.origin is not None, "a package that is a file"
    path = Path(found.origin).parent / "package_data" / "plotly.min.js"
    # Inside an element nothing may look like the end of it; as an escape it is the same string.
    return path.read_text(encoding="utf-8").replace("</script", "<\\/script")


@cache
def library_name() -> str:
    """A file name for the script that changes with its content."""
    digest = blake2b(library().encode(), digest_size=6).hexdigest()
    return f"plotly-{digest}.min.js"


def digest(script: str) -> str:
    """A script's digest as a content policy names it."""
    return f"'sha256-{b64encode(sha256(script.encode()).digest()).decode()}'"


@cache
def _library_digest() -> str:
    return digest(library())


@cache
def own(name: str) -> str:
    """A file of this folder: the page's style or its script."""
    return (_HERE / name).read_text(encoding="utf-8")


def document(title: str, lead: str, parts: Sequence[Section], *, shared: str | None = None) -> str:
    """The whole file.

    Args:
        title: text of the title bar.
        lead: markup above the first section, made by `parts`.
        parts: the sections, in their order; empty ones are left out.
        shared: relative address of the chart script, which then stands beside the page;
            None = it is in the page.
    """
    shown = [part for part in parts if part.body]
    links = "".join(f'<li><a href="#{text(one.name)}">{text(one.title)}</a></li>' for one in shown)
    body = "".join(map(section, shown))
    charts = 'class="chart"' in lead + body
    allowed, scripts = _scripts(shared, body) if charts else _only_ours()
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data: blob:; \
style-src 'unsafe-inline'; script-src {allowed}; base-uri 'none'; form-action 'none'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="referrer" content="no-referrer">
<title>{text(title, 200)}</title>
<style>
{own("page.css")}</style>
</head>
<body>
<a class="skip" href="#main">Skip to the result</a>
<header>
<div class="bar"><span class="brand">portchurn</span>\
<button type="button" id="theme" hidden>Dark or light</button></div>
{lead}
</header>
<nav aria-label="Sections"><ul>{links}</ul></nav>
<main id="main" tabindex="-1">
{body}</main>
<footer><p>Made by portchurn from stored results; it asks nothing of any network.</p></footer>
{scripts}
</body>
</html>
"""


def _only_ours() -> tuple[str, str]:
    script = own("page.js")
    return digest(script), f"<script>{script}</script>"


def _scripts(shared: str | None, body: str) -> tuple[str, str]:
    """What the policy allows, and the elements that it allows."""
    allowed, ours = _only_ours()
    if shared is None:
        return f"{_library_digest()} {allowed}", f"<script>{library()}</script>\n{ours}"
    # A file beside the page has no digest that a browser would check for it, so it gets a word
    # that nobody knows who does not know the page.
    word = blake2b(body.encode(), digest_size=16, person=b"portchurn page").hexdigest()
    element = f'<script nonce="{word}" src="{text(shared)}"></script>'
    return f"'nonce-{word}' {allowed}", f"{element}\n{ours}"
