"""How the command line shows things: Rich on a terminal, plain lines elsewhere."""

from __future__ import annotations

import csv
import json
import math
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.measure import Measurement
from rich.status import Status
from rich.table import Column, Table
from rich.text import Text

from spectrosim_search.config.fields import plain

if TYPE_CHECKING:
    from spectrosim_search.learning.costs import Cost
    from spectrosim_search.search.doctor import Check
    from spectrosim_search.search.progress import Event, SearchProgress
    from spectrosim_search.search.records import StudyRecord
    from spectrosim_search.search.store import StudyStatus

__all__ = [
    "ProgressDisplay",
    "console",
    "measuring",
    "print_checks",
    "print_comparison",
    "print_costs",
    "print_inspection",
    "print_mapping",
    "print_plan",
    "print_result",
    "print_rows",
    "print_spaces",
    "print_status",
    "print_studies",
    "print_wide",
    "progress_display",
    "table",
]

console = Console()
PLAIN_SECONDS = 10.0  # between progress lines when the output is not a terminal


def table(columns: Sequence[str], rows: Iterable[Sequence[object]], title: str = "") -> Table:
    """A plain table; numbers are expected as text with sensible digits. The first column, what a row is about, is never
    cut: the others wrap. Names in brackets stand as they are: nothing but a `Text` has a look of its own."""
    texts = [[cell if isinstance(cell, Text) else Text(str(cell)) for cell in row] for row in rows]
    longest = max((len(text[0]) for text in texts if text), default=0)
    first = Column(Text(columns[0]), no_wrap=True, min_width=min(longest, 48))
    others = [Column(Text(name), overflow="fold") for name in columns[1:]]
    named = Text(title, style="table.title") if title else None
    out = Table(first, *others, title=named, title_justify="left", box=None, pad_edge=False)
    out.header_style = "bold"
    for text in texts:
        out.add_row(*text)
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


def print_studies(rows: Sequence[StudyStatus]) -> None:
    """One line a study."""
    if not rows:
        console.print("no studies yet: spectrosim-search run --study quick")
        return
    columns = ("study", "complete", "pruned", "failed", "running", "of", "best", "confirmed")
    console.print(
        table(
            columns,
            [
                (r.name, r.complete, r.pruned, r.failed, r.running, r.asked, _score(r.best_value), _yes(r.confirmed))
                for r in rows
            ],
        )
    )


def print_status(status: StudyStatus) -> None:
    """Everything cheap to know of one study."""
    hidden = ("name", "created_at", "front", *(() if len(status.objectives) > 1 else ("objectives",)))
    print_mapping({k: v for k, v in plain(status).items() if k not in hidden}, status.name)
    if status.front:
        from spectrosim_search.report.front import front_rows

        rows = front_rows(status.objectives, [(r.trial, r.objectives, r.measured, "") for r in status.front])
        console.print(table(list(rows[0]), [list(r.values()) for r in rows], title="Pareto front"))


def print_spaces(found: Mapping[str, Sequence[Mapping[str, Any]]]) -> None:
    """Titled tables: bundled documents with what they are for, or the keys of a study with their values."""
    for title, rows in found.items():
        columns = [
            c for c in ("name", "description", "key", "values", "when", "start", "unit") if rows and c in rows[0]
        ]
        if "key" in columns:
            columns.remove("description")  # it would push the values off the screen; `--json` has it
        console.print(table(columns, [[_short(r[c]) for c in columns] for r in rows], title=title))
        console.print()


def print_result(record: StudyRecord, report: str = "") -> None:
    """Verdict, facts, result table, and where the report lies."""
    from spectrosim_search.report.table import plain_text

    console.print(plain_text(record), highlight=False, markup=False, soft_wrap=True)
    if report:
        console.print(f"Report: {report}", highlight=False, markup=False, soft_wrap=True)


def print_rows(rows: Sequence[Mapping[str, Any]], output: Path | None) -> None:
    """CSV to a file or to standard output."""
    if not rows:
        return
    if output is None:
        _write_csv(sys.stdout, rows)
        return
    with output.open("w", newline="", encoding="utf-8") as handle:
        _write_csv(handle, rows)
    print(output)


def _write_csv(handle: Any, rows: Sequence[Mapping[str, Any]]) -> None:
    writer = csv.DictWriter(handle, fieldnames=list(rows[0]))
    writer.writeheader()
    for row in rows:  # what does not go into one cell is JSON there
        writer.writerow({k: json.dumps(v) if isinstance(v, (list, dict)) else v for k, v in row.items()})


def print_comparison(records: Sequence[StudyRecord], *, json_: bool) -> None:
    """The rows of several studies, each behind its study's name."""
    from spectrosim_search.report.table import result_rows

    rows = [{"study": r.study.name, **row} for r in records for row in result_rows(r)]
    if json_:
        print(json.dumps(rows, indent=2, default=str))
        return
    if len({r.dataset.fingerprint for r in records}) > 1:
        console.print("[yellow]warning:[/yellow] the studies were run on different data")
    columns = list(dict.fromkeys(c for row in rows for c in row))
    columns = [c for c in columns if any(row.get(c) for row in rows)]
    console.print(table(columns, [[row.get(c, "") for c in columns] for row in rows]))
    for record in records:
        if record.confirmation is not None:
            console.print(Text(f"{record.study.name}: {record.confirmation.verdict.sentence}"))


@contextmanager
def measuring(*, quiet: bool = False) -> Iterator[Callable[[str], None]]:
    """Gives what to call with the name of each encoder before it is measured; shown on a terminal only."""
    if quiet or not console.is_terminal:
        yield lambda name: None
        return
    with console.status("starting") as status:
        yield lambda name: status.update(f"measuring {name}")


def print_costs(costs: Sequence[Cost], caption: str, *, papers: bool) -> None:
    """What encoders cost, one line each, and how it was measured."""
    from spectrosim_search.learning.costs import rows_of

    print_wide(table(*rows_of(costs, papers=papers)))
    console.print(caption, highlight=False, markup=False, soft_wrap=True)


def print_wide(shown: Table) -> None:
    """Wider than a narrow terminal rather than cut: a figure without its last digits is none."""
    needed = Measurement.get(console, console.options.update(max_width=500), shown).maximum
    wide = console if needed <= console.width else Console(file=console.file, width=needed)
    wide.print(shown)


def print_checks(checks: Sequence[Check]) -> None:
    """One line a check."""
    colours = {"ok": "green", "missing": "yellow", "bad": "red"}
    rows = [(Text(c["state"], style=colours[c["state"]]), c["name"], c["detail"]) for c in checks]
    console.print(table(("state", "check", "detail"), rows))


def _warn(warnings: Iterable[str]) -> None:
    for warning in warnings:
        console.print(Text.assemble(("warning:", "yellow"), " ", warning))


def _short(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, Mapping):
        return ", ".join(f"{k}: {_short(v)}" for k, v in value.items())
    if isinstance(value, (list, tuple)):
        return ", ".join(_short(v) for v in value)
    return "" if value is None else str(value)


def _score(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"


def _yes(value: bool) -> str:
    return "yes" if value else ""


class ProgressDisplay:
    """Shows a run as it goes: one live line on a terminal, plain lines elsewhere, nothing when quiet."""

    def __init__(self, status: Status | None, *, quiet: bool, on: Console = console) -> None:
        self._status = status
        self._console = on
        self._quiet = quiet
        self._last = 0.0
        self._confirmed = 0

    def note(self, text: str) -> None:
        """A sentence that stays on the screen."""
        if not self._quiet:
            self._console.print(text, highlight=False, markup=False, soft_wrap=True)

    def event(self, event: Event) -> None:
        """Take in one event of the search or the confirmation."""
        from spectrosim_search.search import progress as events

        if self._quiet:
            return
        if isinstance(event, events.SearchProgress):
            self._show(_progress_line(event))
        elif isinstance(event, events.TrialEnded) and self._status is not None:
            value = "" if event.value is None else f" {event.value:.3f}"
            reason = f" ({event.reason})" if event.reason else ""
            self._status.console.print(
                f"trial {event.number}: {event.state}{value} after {event.cells} cells{reason}",
                highlight=False,
                markup=False,
                style="dim" if event.state == "PRUNED" else "",
            )
        elif isinstance(event, events.WorkerLost):
            self.note(f"{event.worker} was lost ({event.reason}); {event.replicates} replicates are trained again")
        elif isinstance(event, events.ReplicateDone) and event.phase != "search":
            self._confirmed += 1
            self._show(f"confirmation: {self._confirmed} replicates trained")
        elif isinstance(event, events.BaselineDone):
            left = f", {event.remaining_seconds / 60:.1f} min left" if math.isfinite(event.remaining_seconds) else ""
            self._show(f"baselines: {event.done} of {event.total} fits, last {event.baseline} ({event.status}){left}")

    def _show(self, line: str) -> None:
        if self._status is not None:
            self._status.update(line)
        elif time.monotonic() - self._last >= PLAIN_SECONDS:
            self._last = time.monotonic()
            self._console.print(line, highlight=False, markup=False, soft_wrap=True)


def _progress_line(p: SearchProgress) -> str:
    spread = f" ± {p.best_standard_error:.3f}" if math.isfinite(p.best_standard_error) else ""
    best = "none yet" if p.best_number is None else f"{p.best_value:.3f}{spread} (trial {p.best_number})"
    left = f", {p.remaining_seconds / 60:.1f} min left" if math.isfinite(p.remaining_seconds) else ""
    return (
        f"trials {p.complete} done, {p.pruned} pruned, {p.failed} failed of {p.asked}; best {best}; "
        f"{p.replicates_per_minute:.0f} replicates/min, workers busy {p.busy:.0%}{left}"
    )


@contextmanager
def progress_display(*, quiet: bool = False, err: bool = False) -> Iterator[ProgressDisplay]:
    """A live line on a terminal, a plain line every few seconds elsewhere; on standard error with `err`."""
    on = Console(stderr=True) if err else console
    if quiet or not on.is_terminal:
        yield ProgressDisplay(None, quiet=quiet, on=on)
        return
    with on.status("starting") as status:
        yield ProgressDisplay(status, quiet=False, on=on)
