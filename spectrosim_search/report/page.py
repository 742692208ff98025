"""The report: one HTML file that opens offline, from a frozen study record."""

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
from spectrosim_search.report import sections, theme
from spectrosim_search.report.front import front_section
from spectrosim_search.report.headline import only_fixed
from spectrosim_search.report.marks import leak_notice
from spectrosim_search.report.members import SECTIONS, Member, Section, members
from spectrosim_search.report.outer import outer_section
from spectrosim_search.search.records import StudyRecord

__all__ = ["render", "write_report"]

# The browser itself refuses every load from a network; nothing on the page needs one.
_POLICY = (
    "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data: blob:; "
    "font-src data:; base-uri 'none'; form-action 'none'"
)

_LEADS: dict[Section, str] = {
    "result": "Confirmed scores: fresh training runs, judged once on groups held out of the whole search.",
    "search": (
        "Search scores, made to choose trials by. The best of many is flattered by chance, so none of the numbers in "
        "this section is the result; what was confirmed stands above."
    ),
    "process": "What ran when, and on what.",
}


def _asset(name: str) -> str:
    return resources.files("spectrosim_search.report").joinpath("assets", name).read_text(encoding="utf-8")


@cache
def _plotly_compressed() -> str:
    """plotly.js, compressed (4.8 MB to 2.0 MB), as base64; equal bytes at every call."""
    return base64.b64encode(gzip.compress(get_plotlyjs().encode("utf-8"), 9, mtime=0)).decode("ascii")


def _json(value: Any) -> str:
    """JSON that may stand inside a script element: nothing in it can end the element or start a comment."""
    return json.dumps(value, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c").replace("&", "\\u0026")


def _is_wide(built: Any) -> bool:
    return bool((built.layout.meta or {}).get("wide"))


def _fills_row(wide: list[bool]) -> list[bool]:
    """Which figures take a whole row of two places: the wide ones, and those that would stand alone in theirs."""
    rows: list[bool] = []
    place = 0
    for i, own in enumerate(wide):
        alone = place == 0 and (i + 1 == len(wide) or wide[i + 1])
        rows.append(own or alone)
        place = 0 if rows[-1] else 1 - place
    return rows


def _figure(member: Member, record: StudyRecord, built: Any, *, whole_row: bool) -> str:
    """One figure with heading, caption and data."""
    title, name = html.escape(member.title), member.name
    tag = '<span class="tag">search scores</span>' if member.section == "search" else ""
    heading = f'<h3 id="title-{name}">{title}{tag}</h3>'
    leak = '<p class="leak small">Leaking protocol: these numbers overstate</p>' if leak_notice(record) else ""
    # Through Plotly's own encoder first: it turns arrays and undefined numbers into what the browser reads.
    content = json.loads(built.to_json())
    content["layout"].pop("template", None)
    meta = content["layout"].get("meta") or {}
    note = f'<span class="note">{html.escape(str(meta["note"]))}</span>' if meta.get("note") else ""
    if member.section == "process":
        leak = ""
    height = int(content["layout"].get("height", 380))
    return (
        f'<figure class="card figure{" wide" if whole_row else ""}" role="group" aria-labelledby="title-{name}">'
        f"{heading}{leak}<figcaption>{html.escape(member.caption)}{note}</figcaption>"
        f'<div class="scroll" tabindex="0" role="region" aria-label="{title}">'
        f'<div class="plot" data-figure="figure-{name}" style="min-height:{height}px">'
        f'<span class="waiting">Drawn when it comes into view.</span></div></div>'
        f'<script type="application/json" id="figure-{name}">{_json(content)}</script></figure>'
    )


def _lead(section: Section, record: StudyRecord) -> str:
    """Sentence under a section's heading."""
    if section == "result" and record.confirmation is None:
        return "Confirmed scores will stand here once the study's confirmation has run."
    if section == "result" and only_fixed(record):
        return "Fixed methods, fitted on some groups and judged on others; nothing was searched."
    if section == "result" and leak_notice(record):
        return "Fresh training runs under a leaking protocol: no measure of what a model does on new batches."
    if section == "result" and record.confirmation is not None and record.confirmation.scoring == "corrected-cv":
        return (
            "Confirmed scores: fresh training runs, each judged on groups it was not trained on. The winner was chosen "
            "on the same groups; what that flatters it by is taken off its score."
        )
    if section == "result" and record.confirmation is not None and record.confirmation.scoring == "nested":
        return (
            "The score belongs to the procedure, not to one configuration: a search was run in each outer fold, and "
            "its winner scored once on the groups that search never saw."
        )
    return _LEADS[section]


def _section(section: Section, record: StudyRecord) -> str:
    every = [(member, member.build(record)) for member in members(section)]
    drawn = [(member, built) for member, built in every if built is not None]
    absent = "".join(
        f"<li>{html.escape(m.title)}: {html.escape(m.missing(record))}</li>" for m, b in every if b is None
    )
    rows = _fills_row([_is_wide(built) for _, built in drawn])
    figures = "".join(_figure(m, record, b, whole_row=row) for (m, b), row in zip(drawn, rows, strict=True))
    parts = [f'<h2 id="{section}">{SECTIONS[section]}</h2><p class="lead">{html.escape(_lead(section, record))}</p>']
    if section == "result":
        parts.append(sections.result_table(record))
        parts.append(outer_section(record))
    parts.append(f'<div class="grid">{figures}</div>' if figures else "")
    if absent:
        parts.append(f'<div class="card absent"><h3>Not shown</h3><ul class="reasons">{absent}</ul></div>')
    if section == "search":
        parts.append(front_section(record))
        parts.append(sections.trial_table(record))
    if section == "process":
        parts.append(sections.environment(record))
    return f'<section class="section" aria-labelledby="{section}">{"".join(parts)}</section>'


def render(record: StudyRecord) -> str:
    """Return the report as HTML text. Equal records give equal text."""
    title = html.escape(f"{record.study.name}: report")
    body = "".join(_section(section, record) for section in SECTIONS)
    looks = {"light": theme.template(), "dark": theme.template(dark=True), "partners": theme.dark_partners()}
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="generator" content="spectrosim-search">\n'
        f'<link rel="icon" href="data:,">\n<title>{title}</title>\n'
        f"<style>\n{_asset('page.css')}</style>\n</head>\n<body>\n"
        '<a class="skip" href="#result">Skip to the result</a>\n<main class="page">\n'
        f"{sections.headline(record)}\n{body}\n"
        "<footer>Made by spectrosim-search. This file needs no network and sends nothing.</footer>\n</main>\n"
        '<noscript><p class="page">Figures need JavaScript; the tables do not.</p></noscript>\n'
        f'<script type="application/json" id="theme">{_json(looks)}</script>\n'
        f'<script type="text/plain" id="plotly-gz">{_plotly_compressed()}</script>\n'
        f"<script>\n{_asset('page.js')}</script>\n</body>\n</html>\n"
    )


def write_report(record: StudyRecord, path: str | Path) -> Path:
    """Write the report and return its path; an older file is replaced only when the new one is complete.

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
    text = render(record)
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
