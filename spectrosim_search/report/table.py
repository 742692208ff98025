"""The result table and the verdict as rows of strings, plain text and Markdown; nothing here imports Plotly or Rich."""

from __future__ import annotations

import math
from collections.abc import Sequence

from spectrosim_search.report.families import FAMILIES, family, ranks
from spectrosim_search.report.headline import facts, only_fixed, verdict_sentence, warnings
from spectrosim_search.report.marks import leak_notice
from spectrosim_search.report.numbers import METRICS, interval, metric_title, p_value, score
from spectrosim_search.report.outer import outer_rows
from spectrosim_search.search.records import Estimate, MethodRow, StudyRecord

__all__ = ["escaped", "markdown", "ordered_methods", "plain_text", "result_rows"]


def _metric_order(record: StudyRecord) -> list[str]:
    assert record.confirmation is not None
    first = record.confirmation.metric
    present = {name for row in record.confirmation.rows for name in row.metrics}
    known = [m for m in METRICS if m in present and m != first]
    return [first, *known, *sorted(present - set(known) - {first})]


def ordered_methods(record: StudyRecord) -> tuple[MethodRow, ...]:
    """Rows of the confirmation by family (winner, finalists, presets, baselines, ceiling, audit), then by score."""
    if record.confirmation is None:
        return ()
    metric = record.confirmation.metric

    def place(row: MethodRow) -> tuple[int, float]:
        value = row.metrics[metric].value if metric in row.metrics else math.nan
        return FAMILIES.index(family(row)), -value if math.isfinite(value) else math.inf

    return tuple(sorted(record.confirmation.rows, key=place))


def _cell(estimate: Estimate | None) -> str:
    text = interval(estimate)
    if text == "n/a" and estimate is not None and estimate.note:
        return f"n/a ({estimate.note})"
    return text


def result_rows(record: StudyRecord) -> list[dict[str, str]]:
    """Return one dict a method, equal keys in equal order, ready to print; empty before a confirmation.

    The first metric is the study's. Scores from a leaking protocol carry the word in their column's name.
    """
    if record.confirmation is None:
        return []
    leaking = " (leaking)" if leak_notice(record) else ""
    place = ranks(record)
    out = []
    for row in ordered_methods(record):
        cells = {"method": row.title, "kind": row.kind}
        first, *others = _metric_order(record)
        cells[metric_title(first) + leaking] = _cell(row.metrics.get(first))
        alone = row.kind == "winner" or only_fixed(record)  # nothing to be compared with
        cells["winner - method" + leaking] = "" if alone else interval(row.difference, difference=True)
        cells["adjusted p"] = "" if alone else p_value(row.p_adjusted)
        cells["rank"] = str(place.get(row.name, ""))
        for name in others:
            cells[metric_title(name) + leaking] = _cell(row.metrics.get(name))
        cells["sd over seeds"] = score(row.seed_sd) if row.seeds > 1 else ""
        cells["seeds"] = str(row.seeds) if row.seeds else ""
        cells["settings"] = "; ".join(t for t in (row.settings, row.note) if t)
        out.append(cells)
    return out


def escaped(cell: str) -> str:
    """Return text that stays in its cell of a Markdown table."""
    return cell.replace("\\", "\\\\").replace("|", "\\|").replace("\n", " ").replace("<", "&lt;")


def markdown(record: StudyRecord) -> str:
    """Return verdict, facts and table as Markdown."""
    notice = leak_notice(record)
    lines = [f"# {escaped(record.study.name)}", "", *([f"> {notice}", ""] if notice else [])]
    lines += [f"**{escaped(verdict_sentence(record))}**", ""]
    lines += [f"- {name}: {escaped(text)}" for name, text in facts(record)]
    rows = result_rows(record)
    if rows:
        header = list(rows[0])
        lines += ["", "| " + " | ".join(header) + " |", "|" + " --- |" * len(header)]
        lines += ["| " + " | ".join(escaped(v) for v in row.values()) + " |" for row in rows]
    outer = outer_rows(record)
    if outer:
        lines += ["", "Outer folds:", "", "| " + " | ".join(outer[0]) + " |", "|" + " --- |" * len(outer[0])]
        lines += ["| " + " | ".join(escaped(v) for v in row.values()) + " |" for row in outer]
    found = [w for w in warnings(record) if w != notice]
    if found:
        lines += ["", "Warnings:", "", *(f"- {escaped(w)}" for w in found)]
    return "\n".join(lines) + "\n"


def _aligned(rows: Sequence[dict[str, str]], columns: Sequence[str]) -> list[str]:
    widths = {c: max(len(c), *(len(r[c]) for r in rows)) for c in columns}
    head = "  ".join(c.ljust(widths[c]) for c in columns).rstrip()
    rule = "  ".join("-" * widths[c] for c in columns)
    return [head, rule, *("  ".join(r[c].ljust(widths[c]) for c in columns).rstrip() for r in rows)]


def plain_text(record: StudyRecord, *, every_column: bool = False) -> str:
    """Return verdict, facts and table for a terminal without formatting.

    Without `every_column` the table keeps method, the study's metric, all-pairs AUC, balanced accuracy, difference, p.
    """
    notice = leak_notice(record)
    lines = [notice, ""] if notice else []
    lines += [verdict_sentence(record), ""]
    lines += [f"{name}: {text}" for name, text in facts(record)]
    rows = result_rows(record)
    if rows:
        columns = list(rows[0])
        if not every_column:
            kept = {metric_title(m) for m in ("auc", "balanced_accuracy", "macro_f1")} | {
                "winner - method",
                "adjusted p",
                "rank",
            }
            columns = ["method", columns[2], *(c for c in columns[3:] if c.removesuffix(" (leaking)") in kept)]
        columns = [c for c in columns if any(row[c] for row in rows)]
        lines += ["", *_aligned(rows, columns)]
    outer = outer_rows(record)
    if outer:
        lines += ["", "Outer folds:", *_aligned(outer, list(outer[0]))]
    found = [w for w in warnings(record) if w != notice]
    if found:
        lines += ["", *(f"Warning: {w}" for w in found)]
    return "\n".join(lines) + "\n"
