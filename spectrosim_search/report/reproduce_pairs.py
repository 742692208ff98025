"""A printed table of pairs beside ours: its rows, and sentences on what the numbers say."""

from __future__ import annotations

import math
import statistics

from spectrosim_search.report.numbers import metric_title, score, signed
from spectrosim_search.report.plain import Value
from spectrosim_search.report.protocols import cell
from spectrosim_search.search.protocols import METRICS
from spectrosim_search.search.published._table import Figure
from spectrosim_search.search.reproduce import COLUMNS, ReproducedRow, Reproduction
from spectrosim_search.search.reproduce_runs import STOPPED, STOPPED_THRESHOLD

__all__ = ["details", "explanation", "findings", "leaks", "printed", "rows", "tables"]

_METRICS = ("balanced_accuracy", "auc")
_AUDIT = "union-find"


def _heading(column: str) -> str:
    if column == "batch-disjoint":
        return column
    return "random-pairs (leaking)" if column == "random-pairs" else f"{column} (leaking)"


def printed(figure: Figure | None) -> str:
    """A printed figure as a share with its spread; empty where nothing is printed."""
    if figure is None or math.isnan(figure.mean):
        return ""
    return score(figure.mean / 100) + ("" if math.isnan(figure.sd) else f" ± {score(figure.sd / 100)}")


def tables(found: Reproduction) -> dict[str, list[dict[str, str]]]:
    """Return a table a metric, by its title: a row a method, the printed figure (balanced accuracy only), ours."""
    out = {}
    for metric in _METRICS:
        lines = []
        columns = [c for c in COLUMNS if any(c in row.scores for row in found.rows)]
        if metric == "auc":  # which no threshold changes
            columns = [c for c in columns if c != STOPPED_THRESHOLD]
        for row in found.rows:
            shown = {"method": row.title}
            if metric == "balanced_accuracy":
                shown["printed"] = printed(row.figure)
            lines.append(shown | {_heading(c): cell(row.scores.get(c), metric) for c in columns})
        out[metric_title(metric)] = lines
    return out


def rows(found: Reproduction) -> list[dict[str, Value]]:
    """Return one plain row for each method, column and metric; undefined numbers are NaN, percentages as printed."""
    nothing = Figure(math.nan)
    return [
        {
            "row": row.name,
            "method": row.title,
            "kind": row.kind,
            "printed_percent": (row.figure or nothing).mean,
            "printed_sd_percent": (row.figure or nothing).sd,
            "printed_train_percent": (row.figure or nothing).train,
            "column": column,
            "leaking": s.leaks,
            "metric": metric,
            "value": s.metrics[metric].value,
            "low": s.metrics[metric].low,
            "high": s.metrics[metric].high,
            "sd_over_seeds": s.sd[metric],
            "seeds": s.repeats,
            "note": "; ".join(n for n in (row.note, s.note) if n),
        }
        for row in found.rows
        for column, s in row.scores.items()
        for metric in METRICS
    ]


def explanation(found: Reproduction) -> list[str]:
    """Say what was printed, how ours came about and how each column is to be read; the first leaks."""
    table, data = found.table, found.dataset
    split = f"{table.pair_split:.0%} of the pairs in training" if table.pair_split else f"{table.folds} folds of pairs"
    chance = score(found.expected["random-pairs"])
    lines = [
        f"random-pairs ({split}) leaks: judged pairs share spectra and batches with training pairs. The union-find, "
        f"which sees no intensity, is expected at {chance} there. ± is the spread over seeds and no interval for new "
        "batches.",
        f"Printed: {table.source}. Its split: {table.split}.",
        f"Ours: {data.name}, {data.spectra} spectra, {data.groups} groups; seeds, each with splits and training drawn "
        f"anew: {found.seeds}; stored as {found.study}.",
        f"batch-disjoint ({found.folds} folds): no batch of a judged pair was seen; in brackets the 95 % interval over "
        "groups.",
    ]
    if any(STOPPED in row.scores for row in found.rows):
        lines.insert(
            1,
            f"'{STOPPED}' takes the epoch with the best AUC on the judged pairs themselves, as the paper says it did, "
            "a threshold from the other half of them; the column beside it takes the threshold from the same pairs. No "
            "estimate of anything, shown for what it adds.",
        )
    lines += [f"{text[0].upper()}{text[1:]}." for text in table.made]
    lines += [f"As printed: {text}." for text in table.notes]
    notes = dict.fromkeys(
        f"{row.title}: {note}."
        for row in found.rows
        for note in (row.note, *(s.note for s in row.scores.values()))
        if note
    )
    return [*lines, *notes, *(f"Warning: {text}" for text in found.warnings)]


def findings(found: Reproduction) -> list[str]:
    """What the rows say together, each sentence from the numbers at hand; none where there is nothing to say."""
    asked = [row for row in found.rows if row.kind != "reference"]
    bar = found.score(_AUDIT, "random-pairs")
    beaten = [row.title for row in asked if found.score(row.name, "random-pairs") > bar]
    sure = [r.title for r in asked if _low(r) > 0.5]
    lines = [
        f"{_heading('random-pairs')}: {_some(beaten, len(asked), f'above the union-find ({score(bar)})')}",
        f"batch-disjoint: {_some(sure, len(asked), 'above .5 with their whole interval')}",
    ]
    lines.append(_gains(found, asked))
    lines.append(_pairs(found, asked))
    return [line for line in lines if line]


def _low(row: ReproducedRow) -> float:
    scores = row.scores.get("batch-disjoint")
    return math.nan if scores is None else scores.metrics["balanced_accuracy"].low


def _some(names: list[str], total: int, what: str) -> str:
    return f"{len(names)} of {total} rows are {what}" + (f": {', '.join(names)}." if 0 < len(names) < total else ".")


def _gains(found: Reproduction, rows: list[ReproducedRow]) -> str:
    kept = [row.name for row in rows if STOPPED in row.scores and "random-pairs" in row.scores]
    if not kept:
        return ""
    epoch, both = (
        statistics.fmean(found.score(n, column) - found.score(n, "random-pairs") for n in kept)
        for column in (STOPPED, STOPPED_THRESHOLD)
    )
    auc = statistics.fmean(found.score(n, STOPPED, "auc") - found.score(n, "random-pairs", "auc") for n in kept)
    return (
        f"Choosing the epoch on the judged pairs changes balanced accuracy by {signed(epoch)} and AUC by {signed(auc)} "
        f"(mean of {len(kept)} configurations), the threshold as well: {signed(both)}."
    )


def _pairs(found: Reproduction, rows: list[ReproducedRow]) -> str:
    """Contrastive against binary for networks that a table has in both."""
    names = {row.name for row in rows}
    both = [n.removesuffix("-binary") for n in names if n.endswith("-binary")]
    both = [n for n in both if f"{n}-contrastive" in names]
    if not both:
        return ""
    gaps = []
    for column in ("random-pairs", "batch-disjoint"):
        each = [found.score(f"{n}-contrastive", column) - found.score(f"{n}-binary", column) for n in both]
        gaps.append(f"{signed(statistics.fmean(each))} {_heading(column)} ({sum(e > 0 for e in each)} of {len(both)})")
    return f"Contrastive - binary, the same network, mean (networks ahead): {', '.join(gaps)}."


def leaks(found: Reproduction) -> list[str]:
    """What to say of the leaking columns before all else."""
    return explanation(found)[:1]


def details(found: Reproduction) -> dict[str, object]:
    """What a document of this kind of table has beside the others."""
    return {"pair_split": found.table.pair_split, "union_find_expected": dict(found.expected)}
