"""How the command line shows things: Rich on a terminal, plain lines elsewhere."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from spectrosim_search.search.records import StudyRecord

__all__ = [
    "print_checks",
    "print_comparison",
    "print_inspection",
    "print_plan",
    "print_result",
    "print_rows",
    "print_spaces",
    "print_studies",
]

console = Console()


def table(columns: Sequence[str], rows: Iterable[Sequence[object]], title: str = "") -> Table:
    """A plain table; numbers are expected as text with sensible digits."""
    out = Table(*columns, title=title or None, title_justify="left", box=None, pad_edge=False, header_style="bold")
    for row in rows:
        out.add_row(*(str(cell) for cell in row))
    return out


def print_mapping(values: Mapping[str, Any], title: str) -> None:
    """Two columns: what, value."""
    console.print(table(("", title), [(k.replace("_", " "), _short(v)) for k, v in values.items()]))


def print_inspection(inspection: Any) -> None:
    """What `data inspect` found."""
    found = dict(inspection.to_dict())
    warnings = found.pop("warnings", ())
    print_mapping(found, "spectra")
    _warn(warnings)


def print_plan(plan: Mapping[str, Any]) -> None:
    """What `run --dry-run` expects."""
    shown = dict(plan)
    warnings = shown.pop("warnings", ())
    print_mapping(shown, "plan")
    _warn(warnings)


def print_studies(rows: Sequence[Mapping[str, Any]]) -> None:
    """One line a study."""
    if not rows:
        console.print("no studies yet: spectrosim-search run --study quick")
        return
    columns = list(rows[0])
    console.print(table([c.replace("_", " ") for c in columns], [[_short(r[c]) for c in columns] for r in rows]))


def print_spaces(rows: Any) -> None:
    """Bundled documents by kind, or the dimensions of one study."""
    if isinstance(rows, Mapping):
        for kind, entries in rows.items():
            print_studies_like(kind.replace("_", " "), entries)
    else:
        print_studies_like("what varies", rows)


def print_studies_like(title: str, entries: Sequence[Mapping[str, Any]]) -> None:
    """A titled table of uniform rows."""
    columns = list(entries[0]) if entries else []
    console.print(table(columns, [[_short(e[c]) for c in columns] for e in entries], title=title))
    console.print()


def print_result(record: StudyRecord, report: str = "") -> None:
    """Result table, verdict and where the report lies."""
    from spectrosim_search.report.table import result_rows

    rows = result_rows(record)
    if rows:
        columns = list(rows[0])
        console.print(table(columns, [[row[c] for c in columns] for row in rows], title=record.study.name))
    confirmation = record.confirmation
    if confirmation is not None:
        leak = confirmation.leakage
        console.print(
            f"\nLeakage audit: a union-find that never looks at a spectrum scores "
            f"{leak['balanced_accuracy']:.3f} balanced accuracy under these splits (.5 is blind)."
        )
        _warn(confirmation.warnings)
        console.print(f"\n[bold]{confirmation.verdict.sentence}[/bold]")
    else:
        console.print("No confirmation yet: run the same command again to go on.")
    if report:
        console.print(f"\nReport: {report}")


def print_rows(rows: Sequence[Mapping[str, Any]], output: Path | None) -> None:
    """CSV to a file or to standard output."""
    if not rows:
        return
    if output is None:
        _write_csv(sys.stdout, rows)
        return
    with output.open("w", newline="", encoding="utf-8") as handle:
        _write_csv(handle, rows)
    console.print(str(output))


def _write_csv(handle: Any, rows: Sequence[Mapping[str, Any]]) -> None:
    writer = csv.DictWriter(handle, fieldnames=list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)


def print_comparison(records: Sequence[StudyRecord], *, json_: bool) -> None:
    """The rows of several studies, each behind its study's name."""
    from spectrosim_search.report.table import result_rows

    rows = [{"study": r.study.name, **row} for r in records for row in result_rows(r)]
    if json_:
        print(json.dumps(rows, indent=2, default=str))
        return
    if len({r.dataset.fingerprint for r in records}) > 1:
        console.print("[yellow]warning:[/yellow] the studies were run on different data")
    columns = list(rows[0]) if rows else []
    console.print(table(columns, [[row[c] for c in columns] for row in rows]))
    for record in records:
        if record.confirmation is not None:
            console.print(f"{record.study.name}: {record.confirmation.verdict.sentence}")


def print_checks(checks: Sequence[Mapping[str, str]]) -> None:
    """One line a check."""
    colours = {"ok": "green", "missing": "yellow", "bad": "red"}
    rows = [(f"[{colours[c['state']]}]{c['state']}[/]", c["name"], c["detail"]) for c in checks]
    console.print(table(("state", "check", "detail"), rows))


def _warn(warnings: Iterable[str]) -> None:
    for warning in warnings:
        console.print(f"[yellow]warning:[/yellow] {warning}", highlight=False)


def _short(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, Mapping):
        return ", ".join(f"{k}: {_short(v)}" for k, v in value.items())
    if isinstance(value, (list, tuple)):
        return ", ".join(_short(v) for v in value)
    return "" if value is None else str(value)


@contextmanager
def _nothing() -> Iterator[None]:
    yield None
