"""The report: one HTML file that opens offline, from a frozen study record."""

from __future__ import annotations

import html
from pathlib import Path
from typing import Any

from spectrosim_search.report import sections
from spectrosim_search.report.class_words import class_lead
from spectrosim_search.report.document import figure_card, frame, write_text
from spectrosim_search.report.front import front_section
from spectrosim_search.report.headline import only_fixed
from spectrosim_search.report.marks import leak_notice
from spectrosim_search.report.members import SECTIONS, Member, Section, members
from spectrosim_search.report.outer import outer_section
from spectrosim_search.search.records import StudyRecord

__all__ = ["render", "write_report"]

_LEADS: dict[Section, str] = {
    "result": "Confirmed scores: fresh training runs, judged once on groups held out of the whole search.",
    "search": (
        "Search scores, made to choose trials by. The best of many is flattered by chance, so none of the numbers in "
        "this section is the result; what was confirmed stands above."
    ),
    "process": "What ran when, and on what.",
}


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
    """One figure with its marks: search scores, and numbers of a leaking protocol."""
    return figure_card(
        member.name,
        member.title,
        member.caption,
        built,
        tag="search scores" if member.section == "search" else "",
        leak=bool(leak_notice(record)) and member.section != "process",
        whole_row=whole_row,
    )


def _lead(section: Section, record: StudyRecord) -> str:
    """Sentence under a section's heading."""
    if section == "result" and record.confirmation is None:
        return "Confirmed scores will stand here once the study's confirmation has run."
    if section == "result" and only_fixed(record):
        return "Fixed methods, fitted on some groups and judged on others; nothing was searched."
    if section == "result" and leak_notice(record):
        return "Fresh training runs under a leaking protocol: no measure of what a model does on new batches."
    if section == "result" and record.confirmation is not None and record.study.task != "same-batch":
        return class_lead(record)
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
    every = [(member, member.build(record)) for member in members(section, record.study.task)]
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
    body = "".join(_section(section, record) for section in SECTIONS)
    return frame(f"{record.study.name}: report", f"{sections.headline(record)}\n{body}")


def write_report(record: StudyRecord, path: str | Path) -> Path:
    """Write the report and return its path; raises as :func:`~spectrosim_search.report.document.write_text`."""
    return write_text(render(record), path)
