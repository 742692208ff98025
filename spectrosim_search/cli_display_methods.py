"""How the command line shows methods beside each other: baselines, and protocols."""

from __future__ import annotations

import functools
import json
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from spectrosim_search.cli_display import console, print_wide, table

if TYPE_CHECKING:
    from spectrosim_search.search.protocols import Comparison
    from spectrosim_search.search.records import MethodRow
    from spectrosim_search.search.reproduce import Reproduction
    from spectrosim_search.search.reproduce_classes import ClassReproduction
    from spectrosim_search.search.run_baselines import Compared

__all__ = ["print_baselines", "print_protocols", "print_ranking", "print_reproduction", "print_tables"]


def print_baselines(*, json_: bool) -> None:
    """Every baseline there is: name, title, and whether it is run once for each seed."""
    from spectrosim_search.baselines import seeded, title
    from spectrosim_search.config import registry

    rows = [(name, title(name), seeded(name)) for name in registry.names("baselines")]
    if json_:
        print(json.dumps([{"name": n, "title": t, "seeded": s} for n, t, s in rows], indent=2))
        return
    print_wide(table(("name", "title", "seeds"), [(n, t, "each" if s else "") for n, t, s in rows]))


def print_ranking(compared: Compared, report: str = "") -> None:
    """Verdict, then every method by its score with interval, seeds and seconds; what has no score says why."""
    from spectrosim_search.report.numbers import duration
    from spectrosim_search.report.table import ordered_methods, result_rows

    record = compared.record
    confirmation = record.confirmation
    if confirmation is None:
        return

    def place(pair: tuple[MethodRow, Mapping[str, str]]) -> tuple[bool, float]:
        value = pair[0].metrics[confirmation.metric].value
        return pair[0].kind in ("oracle", "audit"), -value if math.isfinite(value) else math.inf

    ranked = sorted(zip(ordered_methods(record), result_rows(record), strict=True), key=place)
    columns = [c for c in list(ranked[0][1])[2:5] if any(row[c] for _, row in ranked)] + ["seeds"]
    shown = [(m, row) for m, row in ranked if not m.note.startswith("n/a")]
    lines = [
        (
            "" if m.kind in ("oracle", "audit") else number,
            row["method"],
            *(row[c] for c in columns),
            duration(compared.seconds[m.name]) if m.name in compared.seconds else "",
        )
        for number, (m, row) in enumerate(shown, 1)
    ]
    say = functools.partial(console.print, highlight=False, markup=False, soft_wrap=True)
    say(confirmation.verdict.sentence)
    print_wide(table(("", "method", *columns, "fitted in"), lines))
    for m, row in ranked:
        if m.note.startswith("n/a"):
            say(f"{row['method']}: {m.note}")
    if report:
        say(f"Report: {report}")


def print_protocols(comparison: Comparison) -> None:
    """A table a metric with a column a protocol, and how to read them."""
    from spectrosim_search.report.protocols import comparison_tables, explanation

    for title, rows in comparison_tables(comparison).items():
        print_wide(table(list(rows[0]), [list(row.values()) for row in rows], title=title))
        console.print()
    for line in explanation(comparison):
        console.print(line, highlight=False, markup=False, soft_wrap=True)


def print_tables(name: str, names: Sequence[str]) -> None:
    """The papers' tables, or the rows of one of them with what was printed."""
    from spectrosim_search.report.numbers import metric_title
    from spectrosim_search.search.published._class_table import ClassTable
    from spectrosim_search.search.reproduce import load_table, table_names

    if name:
        printed = load_table(name)
        if isinstance(printed, ClassTable):
            metrics = list(dict.fromkeys(p.metric for row in printed.rows for p in row.printed))
            lines = [
                (
                    row.name,
                    row.title,
                    *(" / ".join(f"{p.figure.mean:g}" for p in row.printed if p.metric == m) for m in metrics),
                    "; ".join(text for text in (row.note, row.elsewhere) if text),
                )
                for row in printed.rows
            ]
            where = " / ".join(dict.fromkeys(p.where for row in printed.rows for p in row.printed))
            print_wide(table(("row", "method", *(f"{metric_title(m)}, %: {where}" for m in metrics), "note"), lines))
            return
        rows = [(row.name, row.title, f"{row.figure.mean:g}", row.note) for row in printed.rows]
        print_wide(table(("row", "method", "printed, %", "note"), rows))
        return
    known = table_names()
    titles = [(n, load_table(n).title if n in known else "SpectroSim chapter: cost of each encoder") for n in names]
    print_wide(table(("table", "what it is"), titles))


def print_reproduction(found: Reproduction | ClassReproduction) -> None:
    """A table a metric with the printed figures, what the rows say together, and how to read them."""
    from spectrosim_search.report.reproduce import explanation, findings, reproduction_tables

    for title, rows in reproduction_tables(found).items():
        print_wide(table(list(rows[0]), [list(row.values()) for row in rows], title=title))
        console.print()
    for line in (*findings(found), *explanation(found)):
        console.print(line, highlight=False, markup=False, soft_wrap=True)
