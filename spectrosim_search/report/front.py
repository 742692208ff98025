"""The Pareto front as a table: every finished trial that no other beats on all objectives at once."""

from __future__ import annotations

import html
import math
from collections.abc import Iterable, Mapping, Sequence

from spectrosim_search.report.marks import leak_notice
from spectrosim_search.report.numbers import count, interval, score
from spectrosim_search.search.objectives import titled
from spectrosim_search.search.pareto import pareto_trials
from spectrosim_search.search.records import StudyRecord, TrialRecord

__all__ = ["front_facts", "front_rows", "front_section", "objective_text"]

Entry = tuple[int, Mapping[str, float], float | None, str]  # number, objectives, measured ms, confirmed score

_ABOUT = (
    "Finished trials that no other finished trial beats on every objective at once, best score first. Scores here "
    "are search scores: they flatter. Inference time is counted, not clocked, so that it is the same everywhere; "
    "where it was also measured, that is a batch of 64 spectra on one thread of the machine that ran the search. Any "
    "of them can be exported by its number."
)


def objective_text(name: str, value: float) -> str:
    """Write a value of an objective: scores as scores, parameters whole, milliseconds in three digits."""
    if not math.isfinite(value):
        return "n/a"
    if name == "score":
        return score(value)
    return count(value) if name == "parameters" else f"{value:.3g}"


def front_rows(names: Sequence[str], entries: Iterable[Entry]) -> list[dict[str, str]]:
    """Return one dict a trial, equal keys in equal order; columns that nothing fills are left out."""
    rows = []
    for number, objectives, measured, confirmed in entries:
        row = {"trial": str(number)}
        row |= {titled(n): objective_text(n, objectives.get(n, math.nan)) for n in names}
        row["measured (ms)"] = "" if measured is None else f"{measured:.3g}"
        row["confirmed score"] = confirmed
        rows.append(row)
    return [{k: v for k, v in row.items() if any(other[k] for other in rows)} for row in rows]


def _confirmed(record: StudyRecord, trial: TrialRecord) -> str:
    c = record.confirmation
    for row in c.rows if c is not None else ():
        if row.configuration_id == trial.configuration_id and row.kind in ("winner", "finalist", "preset"):
            assert c is not None  # there are rows
            return interval(row.metrics.get(c.metric)) + (" (winner)" if row.kind == "winner" else "")
    return ""


def _rows(record: StudyRecord) -> list[dict[str, str]]:
    trials = pareto_trials(record)
    entries = [(t.number, t.objectives, t.measured_inference, _confirmed(record, t)) for t in trials]
    return front_rows(record.study.objectives, entries)


def front_section(record: StudyRecord) -> str:
    """HTML of the table; empty for studies of one objective."""
    if len(record.study.objectives) < 2:
        return ""
    rows = _rows(record)
    mark = '<p class="leak small">Leaking protocol: these numbers overstate</p>' if leak_notice(record) else ""
    if not rows:
        inner = '<p class="absent">No trial has finished all its cells yet.</p>'
    else:
        head = "".join(f'<th scope="col">{html.escape(name)}</th>' for name in rows[0])
        body = ""
        for row in rows:
            first, *rest = row.values()
            cells = "".join(f"<td>{html.escape(text)}</td>" for text in rest)
            body += f'<tr><th scope="row">{html.escape(first)}</th>{cells}</tr>'
        inner = (
            f'<p class="about">{html.escape(_ABOUT)}</p>'
            '<div class="scroll" tabindex="0" role="region" aria-label="Pareto front">'
            f'<table id="front-table"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'
        )
    return (
        f'<section class="card table" aria-label="Pareto front"><h3 id="front">Pareto front</h3>{mark}{inner}</section>'
    )


def front_facts(record: StudyRecord) -> list[tuple[str, str]]:
    """Return (name, text) of what was searched for beside the score; empty for studies of one objective."""
    names = record.study.objectives
    if len(names) < 2:
        return []
    trials = pareto_trials(record)
    wanted = "highest score, " + ", ".join(f"lowest {titled(n)}" for n in names[1:])
    if not trials:
        return [("Objectives", f"{wanted}; no trial has finished all its cells yet")]
    numbers = ", ".join(str(t.number) for t in trials[:12]) + (", …" if len(trials) > 12 else "")
    what = f"trial {numbers} alone" if len(trials) == 1 else f"{count(len(trials))} trials ({numbers})"
    return [("Objectives", f"{wanted}; on the Pareto front: {what}")]
