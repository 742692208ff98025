"""Methods under every protocol side by side: rows for a terminal, CSV, JSON, and one HTML page without scripts."""

from __future__ import annotations

import json
import math
from pathlib import Path

from spectrosim_search.baselines import title
from spectrosim_search.config.errors import InputError
from spectrosim_search.report.numbers import interval, metric_title, score
from spectrosim_search.report.plain import Value, csv_text, finite_rows, plain_page
from spectrosim_search.search.protocols import METRICS, PROTOCOLS, Comparison, ProtocolScore

__all__ = ["SUFFIXES", "cell", "comparison_rows", "comparison_tables", "explanation", "write_comparison"]

SUFFIXES = (".html", ".csv", ".json")
_KINDS = ("audit", "baseline", "model", "oracle")
_GAP = "random-pairs (leaking) - batch-disjoint"


def _column(protocol: str) -> str:
    return f"{protocol} (leaking)" if protocol == "random-pairs" else protocol


def _title(found: ProtocolScore) -> str:
    return found.method if found.kind == "model" else title(found.method)


def cell(found: ProtocolScore | None, metric: str) -> str:
    """A score with its interval over groups where batches are disjoint, else with its spread over repeats."""
    if found is None:
        return ""
    if found.protocol == "batch-disjoint":
        return interval(found.metrics[metric])
    sd = found.sd[metric]
    return score(found.metrics[metric].value) + (f" ± {score(sd)}" if math.isfinite(sd) else "")


def comparison_tables(comparison: Comparison) -> dict[str, list[dict[str, str]]]:
    """Return a table a metric, by its title: a row a method, a column a protocol, and the step from the first to the
    last.

    Reference rows first, in the order of the study; the word stands in the name of every column that leaks.
    """
    found = {(s.protocol, s.method): s for s in comparison.scores}
    names: dict[str, ProtocolScore] = {}
    for s in comparison.scores:
        names.setdefault(s.method, s)
    ordered = sorted(names, key=lambda name: _KINDS.index(names[name].kind))
    tables: dict[str, list[dict[str, str]]] = {}
    for metric in METRICS:
        rows = []
        for name in ordered:
            row = {"method": _title(names[name])}
            row |= {_column(p): cell(found.get((p, name)), metric) for p in PROTOCOLS}
            ends = [found.get((p, name)) for p in ("random-pairs", "batch-disjoint")]
            gap = [e.metrics[metric].value for e in ends if e is not None]
            row[_GAP] = score(gap[0] - gap[1]) if len(gap) == 2 else ""
            rows.append(row)
        tables[metric_title(metric)] = rows
    return tables


def comparison_rows(comparison: Comparison) -> list[dict[str, Value]]:
    """Return one plain row for each protocol, method and metric; undefined numbers are NaN."""
    return [
        {
            "protocol": s.protocol,
            "leaking": s.leaks,
            "method": s.method,
            "kind": s.kind,
            "metric": metric,
            "value": s.metrics[metric].value,
            "low": s.metrics[metric].low,
            "high": s.metrics[metric].high,
            "sd_over_repeats": s.sd[metric],
            "repeats": s.repeats,
            "note": "; ".join(n for n in (s.note, s.metrics[metric].note) if n),
        }
        for s in comparison.scores
        for metric in METRICS
    ]


def explanation(comparison: Comparison) -> list[str]:
    """Say in sentences what was compared and how each column is to be read."""
    data, share = comparison.dataset, comparison.pair_split
    how = f"{comparison.folds} folds" if not share else f"{share:.0%} of the pairs in training, the rest judged"
    expected = score(comparison.expected["random-pairs"])
    lines = [
        f"{data.name}: {data.spectra} spectra, {data.groups} groups; study {comparison.study}; repeats, each with "
        f"splits and training drawn anew: {comparison.repeats}.",
        f"random-pairs ({how}) leaks: judged pairs share spectra and batches with training pairs. The union-find, "
        f"which sees no intensity, is expected at {expected} there; its numbers reproduce published ones, no more. "
        "± is the spread over repeats and no interval for new batches.",
        "shared-batch: one spectrum of every judged pair was seen in training; its batches were seen. ± as above.",
        f"batch-disjoint ({comparison.folds} folds): no batch of a judged pair was seen; in brackets the 95 % interval "
        "over groups.",
    ]
    notes = dict.fromkeys(f"{s.method}: {s.note}." for s in comparison.scores if s.note)
    return [*lines, *notes, *(f"Warning: {w}" for w in comparison.warnings)]


def _html(comparison: Comparison) -> str:
    lines = explanation(comparison)
    name = f"{comparison.dataset.name}: protocols side by side"
    return plain_page(name, lines[1:2], [*lines[:1], *lines[2:]], comparison_tables(comparison))


def write_comparison(comparison: Comparison, path: Path) -> None:
    """Write an HTML page, CSV or JSON, by the suffix. Raises InputError for another one."""
    rows = comparison_rows(comparison)
    if path.suffix == ".html":
        text = _html(comparison)
    elif path.suffix == ".csv":
        text = csv_text(rows)
    elif path.suffix == ".json":
        document = {
            "data": comparison.dataset.name,
            "fingerprint": comparison.dataset.fingerprint,
            "study": comparison.study,
            "folds": comparison.folds,
            "pair_split": comparison.pair_split,
            "repeats": comparison.repeats,
            "union_find_expected": dict(comparison.expected),
            "rows": finite_rows(rows),
            "warnings": list(comparison.warnings),
        }
        text = json.dumps(document, indent=2, allow_nan=False) + "\n"
    else:
        raise InputError(f"{path}: name a file that ends in {', '.join(SUFFIXES)}")
    path.write_text(text, encoding="utf-8", newline="")
