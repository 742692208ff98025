"""A printed table that names classes beside ours: its rows, and sentences on what the numbers say."""

from __future__ import annotations

import math
import statistics

from spectrosim_search.evaluation.scores import Estimate
from spectrosim_search.report.numbers import interval, metric_title, score, signed
from spectrosim_search.report.plain import Value, finite_rows
from spectrosim_search.report.reproduce_pairs import printed
from spectrosim_search.search.reproduce_class_runs import Column
from spectrosim_search.search.reproduce_class_scores import ReproducedClassRow
from spectrosim_search.search.reproduce_classes import ClassReproduction

__all__ = ["details", "explanation", "findings", "leaks", "rows", "tables"]

DIFFERENCES = "differences in "


def _heading(found: ClassReproduction, column: Column, metric: str = "") -> str:
    """Words over a column of ours; what leaks says so."""
    table = found.table
    if not found.leaks:
        return f"{table.plain} ({table.nothing})"
    leaking = column == "plain" or metric in table.cut
    words = table.plain if column == "plain" else table.disjoint
    return f"{words} (leaking)" if leaking else words


def _headings(found: ClassReproduction, metric: str) -> dict[Column, str]:
    """Columns shown of a metric. What no fold protects has one: the two differ by the luck of the folds alone."""
    columns = found.columns[:1] if metric in found.table.cut else found.columns
    return {column: _heading(found, column, metric) for column in columns}


def _places(found: ClassReproduction, metric: str) -> list[str]:
    return list(dict.fromkeys(p.where for r in found.rows for p in r.row.printed if p.metric == metric))


def _cell(row: ReproducedClassRow, column: Column, metric: str) -> str:
    scores = row.scores.get(column)
    if scores is None or metric not in scores.metrics:
        return ""
    text, sd = interval(scores.metrics[metric]), scores.sd[metric]
    return f"{text} ± {score(sd)}" if math.isfinite(sd) and "[" not in text else text


def tables(found: ClassReproduction) -> dict[str, list[dict[str, str]]]:
    """Return a table a metric, by its title: a row a method, every printed column, ours; last the contrasts."""
    out = {}
    for metric in found.table.metrics:
        places, headings = _places(found, metric), _headings(found, metric)
        out[metric_title(metric)] = [
            {
                "method": r.row.title,
                **{p if p == "printed" else f"printed, {p}": printed(r.row.figure(metric, p)) for p in places},
                **{words: _cell(r, column, metric) for column, words in headings.items()},
            }
            for r in found.rows
        ]
    if found.contrasts:
        out[DIFFERENCES + metric_title(found.table.metrics[0])] = _contrasts(found)
    return out


def _contrasts(found: ClassReproduction) -> list[dict[str, str]]:
    metric = found.table.metrics[0]
    places = list(dict.fromkeys(where for c in found.contrasts for where in c.printed))
    return [
        {
            "difference": c.contrast.title,
            **{
                p if p == "printed" else f"printed, {p}": signed(c.printed[p] / 100) if p in c.printed else ""
                for p in places
            },
            **{
                words: interval(c.differences[column], difference=True)
                for column, words in _headings(found, metric).items()
            },
        }
        for c in found.contrasts
    ]


def rows(found: ClassReproduction) -> list[dict[str, Value]]:
    """Return one plain row for each method, column and metric, the printed ones first; shares, undefined NaN."""
    out: list[dict[str, Value]] = []
    for r in found.rows:
        known = {"row": r.row.name, "method": r.row.title, "kind": r.kind}
        for p in r.row.printed:
            column = p.where if p.where == "printed" else f"printed, {p.where}"
            figure = Estimate(p.figure.mean / 100)
            out.append({**known, **_plain(column, "unknown", p.metric, figure, p.figure.sd / 100, 0, r.row.note)})
        for column_of, s in r.scores.items():
            note = "; ".join(n for n in (r.row.note, s.note) if n)
            for metric in found.table.metrics:
                if metric in s.metrics:
                    leaking = found.leaks and (s.leaks or metric in found.table.cut)
                    words = _heading(found, column_of, metric)
                    value, sd = s.metrics[metric], s.sd[metric]
                    out.append({**known, **_plain(words, "yes" if leaking else "no", metric, value, sd, s.seeds, note)})
    return out


def _plain(
    column: str, leaking: str, metric: str, value: Estimate, sd: float, seeds: int, note: str
) -> dict[str, Value]:
    return {
        "column": column,
        "leaking": leaking,
        "metric": metric,
        "value": value.value,
        "low": value.low,
        "high": value.high,
        "sd_over_seeds": sd,
        "seeds": seeds,
        "note": note,
    }


def leaks(found: ClassReproduction) -> list[str]:
    """What to say of the leaking column before all else; nothing where the data have nothing to leak."""
    if not found.leaks:
        return []
    return [
        f"{_heading(found, 'plain')}: the paper's way of splitting puts spectra that belong together on both sides; no "
        "estimate for new ones, and so without an interval. ± is the spread over seeds."
    ]


def explanation(found: ClassReproduction) -> list[str]:
    """Say what was printed, how ours came about and how each column is to be read; what leaks comes first."""
    table, data = found.table, found.dataset
    lines = [
        *leaks(found),
        f"Printed: {table.source}. Its split: {table.split}.",
        f"Ours: {data.name}, {data.spectra} spectra; seeds, each with folds and training drawn anew: {found.seeds}; "
        f"stored as {found.study}.",
        f"{_heading(found, 'disjoint')} ({found.folds} folds): in brackets the 95 % interval over {found.units}.",
    ]
    if not found.leaks:
        lines.append(f"These data have {table.nothing}: nothing that folds could cut.")
    elif table.cut:
        words = ", ".join(metric_title(m) for m in table.cut)
        lines.append(f"Measured inside the training part, near-duplicates among what is compared: {words}.")
    lines += [f"{text[0].upper()}{text[1:]}." for text in table.made]
    lines += [f"As printed: {text}." for text in table.notes]
    notes = dict.fromkeys(
        f"{r.row.title}: {note}."
        for r in found.rows
        for note in (r.row.note, r.row.elsewhere, *(s.note for s in r.scores.values()))
        if note
    )
    return [*lines, *notes, *(f"Warning: {text}" for text in found.warnings)]


def findings(found: ClassReproduction) -> list[str]:
    """What the rows say together, each sentence from the numbers at hand."""
    metric = found.table.metrics[0]
    if metric in found.table.cut:
        return []
    lines = []
    if found.leaks:
        both = [r for r in found.rows if len(r.scores) == 2 and r.kind != "reference"]
        gaps = [found.score(r.row.name, "plain", metric) - found.score(r.row.name, "disjoint", metric) for r in both]
        gaps = [gap for gap in gaps if math.isfinite(gap)]
        if gaps:
            lines.append(
                f"{_heading(found, 'plain')} - {found.table.disjoint}, {metric_title(metric)}: mean of {len(gaps)} "
                f"rows {signed(statistics.fmean(gaps))} ({signed(min(gaps))} to {signed(max(gaps))})."
            )
    lines += [_leader(found, column, metric) for column in found.columns]
    return [line for line in lines if line]


def _leader(found: ClassReproduction, column: Column, metric: str) -> str:
    scored = [(found.score(r.row.name, column, metric), r.row.title) for r in found.rows if r.scores]
    scored = sorted((s for s in scored if math.isfinite(s[0])), reverse=True)
    if not scored:
        return ""
    return f"{_heading(found, column)}: ahead is {scored[0][1]} ({score(scored[0][0])}), a choice among {len(scored)}."


def details(found: ClassReproduction) -> dict[str, object]:
    """What a document of this kind of table has beside the others."""
    contrasts: list[dict[str, Value]] = []
    for c in found.contrasts:
        for where, points in c.printed.items():
            column = where if where == "printed" else f"printed, {where}"
            contrasts.append({"difference": c.contrast.title, "column": column, "value": points / 100})
        for column_of, e in c.differences.items():
            contrasts.append(
                {
                    "difference": c.contrast.title,
                    "column": _heading(found, column_of),
                    "value": e.value,
                    "low": e.low,
                    "high": e.high,
                }
            )
    return {"folds": found.folds, "units": found.units, "leaks": found.leaks, "differences": finite_rows(contrasts)}
