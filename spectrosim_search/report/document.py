"""The frame of an HTML page that opens offline: look, plotting library, figures as cards, and writing it whole."""

from __future__ import annotations

import base64
import gzip
import html
import json
import os
import tempfile
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

from plotly.offline import get_plotlyjs

from spectrosim_search.config.errors import InputError
from spectrosim_search.report import theme

__all__ = ["figure_card", "frame", "stylesheet", "write_text"]

# The browser itself refuses every load from a network; nothing on a page needs one.
_POLICY = (
    "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data: blob:; "
    "font-src data:; base-uri 'none'; form-action 'none'"
)


def _asset(name: str) -> str:
    return resources.files("spectrosim_search.report").joinpath("assets", name).read_text(encoding="utf-8")


def stylesheet() -> str:
    """Return the CSS of every page."""
    return _asset("page.css")


@cache
def _plotly_compressed() -> str:
    """plotly.js, compressed (4.8 MB to 2.0 MB), as base64; equal bytes at every call."""
    return base64.b64encode(gzip.compress(get_plotlyjs().encode("utf-8"), 9, mtime=0)).decode("ascii")


def _json(value: Any) -> str:
    """JSON that may stand inside a script element: nothing in it can end the element or start a comment."""
    return json.dumps(value, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c").replace("&", "\\u0026")


def figure_card(
    name: str, title: str, caption: str, built: Any, *, tag: str = "", leak: bool = False, whole_row: bool = False
) -> str:
    """One figure with heading, caption and data; `tag` stands beside the heading, `leak` marks leaking numbers."""
    title = html.escape(title)
    marked = f'<span class="tag">{html.escape(tag)}</span>' if tag else ""
    heading = f'<h3 id="title-{name}">{title}{marked}</h3>'
    warned = '<p class="leak small">Leaking protocol: these numbers overstate</p>' if leak else ""
    # Through Plotly's own encoder first: it turns arrays and undefined numbers into what the browser reads.
    content = json.loads(built.to_json())
    content["layout"].pop("template", None)
    meta = content["layout"].get("meta") or {}
    told = str(meta.pop("note", ""))
    note = f'<span class="note">{html.escape(told)}</span>' if told else ""
    height = int(content["layout"].get("height", 380))
    return (
        f'<figure class="card figure{" wide" if whole_row else ""}" role="group" aria-labelledby="title-{name}">'
        f"{heading}{warned}<figcaption>{html.escape(caption)}{note}</figcaption>"
        f'<div class="scroll" tabindex="0" role="region" aria-label="{title}">'
        f'<div class="plot" data-figure="figure-{name}" style="min-height:{height}px">'
        f'<span class="waiting">Drawn when it comes into view.</span></div></div>'
        f'<script type="application/json" id="figure-{name}">{_json(content)}</script></figure>'
    )


def frame(title: str, body: str) -> str:
    """Return the whole page around a body of HTML; `title` is plain text. Equal arguments give equal text."""
    looks = {"light": theme.template(), "dark": theme.template(dark=True), "partners": theme.dark_partners()}
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="generator" content="spectrosim-search">\n'
        f'<link rel="icon" href="data:,">\n<title>{html.escape(title)}</title>\n'
        f"<style>\n{stylesheet()}</style>\n</head>\n<body>\n"
        '<a class="skip" href="#result">Skip to the result</a>\n<main class="page">\n'
        f"{body}\n"
        "<footer>Made by spectrosim-search. This file needs no network and sends nothing.</footer>\n</main>\n"
        '<noscript><p class="page">Figures need JavaScript; the tables do not.</p></noscript>\n'
        f'<script type="application/json" id="theme">{_json(looks)}</script>\n'
        f'<script type="text/plain" id="plotly-gz">{_plotly_compressed()}</script>\n'
        f"<script>\n{_asset('page.js')}</script>\n</body>\n</html>\n"
    )


def write_text(text: str, path: str | Path) -> Path:
    """Write a page and return its path; an older file is replaced only when the new one is complete.

    Raises InputError where the folder is missing or the file cannot be written.
    """
    target = Path(path).expanduser()
    if target.is_dir():
        raise InputError(
            f"cannot write the report: '{target}' is a folder; name a file, such as {target / 'report.html'}"
        )
    if not target.parent.is_dir():
        raise InputError(
            f"cannot write the report: folder '{target.parent}' does not exist; create it or choose another"
        )
    partial: Path | None = None
    try:
        handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.", suffix=".part")
        partial = Path(name)
        with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as stream:
            stream.write(text)
        umask = os.umask(0)
        os.umask(umask)
        partial.chmod(0o666 & ~umask)
        partial.replace(target)
    except OSError as problem:
        if partial is not None:
            partial.unlink(missing_ok=True)
        reason = problem.strerror or str(problem)
        raise InputError(f"cannot write the report '{target}': {reason}; choose another place with -o") from problem
    return target
