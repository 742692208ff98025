"""A printed table beside ours, of either kind: for a terminal, Markdown, CSV, JSON and a page."""

from __future__ import annotations

import json
from pathlib import Path
from types import ModuleType

from spectrosim_search.config.errors import InputError
from spectrosim_search.report import reproduce_classes, reproduce_pairs
from spectrosim_search.report.plain import Value, csv_text, finite_rows, plain_page
from spectrosim_search.search.reproduce import Reproduction
from spectrosim_search.search.reproduce_classes import ClassReproduction

__all__ = [
    "SUFFIXES",
    "document",
    "explanation",
    "findings",
    "markdown",
    "reproduction_rows",
    "reproduction_tables",
    "write_reproduction",
]

SUFFIXES = (".html", ".csv", ".json")
Found = Reproduction | ClassReproduction


def _kind(found: Found) -> ModuleType:
    """What writes this kind of table: ``tables``, ``rows``, ``findings``, ``explanation``, ``leaks``, ``details``."""
    return reproduce_classes if isinstance(found, ClassReproduction) else reproduce_pairs


def reproduction_tables(found: Found) -> dict[str, list[dict[str, str]]]:
    """Return tables by their titles: a row a method, the printed figures, ours; every row has the same columns."""
    tables: dict[str, list[dict[str, str]]] = _kind(found).tables(found)
    return tables


def reproduction_rows(found: Found) -> list[dict[str, Value]]:
    """Return one plain row for each method, column and metric; undefined numbers are NaN."""
    rows: list[dict[str, Value]] = _kind(found).rows(found)
    return rows


def findings(found: Found) -> list[str]:
    """What the rows say together, each sentence from the numbers at hand; none where there is nothing to say."""
    lines: list[str] = _kind(found).findings(found)
    return lines


def explanation(found: Found) -> list[str]:
    """Say what was printed, how ours came about and how each column is to be read."""
    lines: list[str] = _kind(found).explanation(found)
    return lines


def markdown(found: Found) -> str:
    """The tables in Markdown."""
    parts = []
    for title, rows in reproduction_tables(found).items():
        head = [title, *list(rows[0])[1:]]
        lines = [head, ["---"] * len(head), *([*row.values()] for row in rows)]
        parts.append("\n".join(f"| {' | '.join(line)} |" for line in lines))
    return "\n\n".join(parts)


def document(found: Found) -> dict[str, object]:
    """Everything as plain values for JSON."""
    return {
        "table": found.name,
        "title": found.table.title,
        "source": found.table.source,
        "printed_split": found.table.split,
        "data": found.dataset.name,
        "fingerprint": found.dataset.fingerprint,
        "study": found.study,
        "seeds": found.seeds,
        **_kind(found).details(found),
        "rows": finite_rows(reproduction_rows(found)),
        "findings": findings(found),
        "explanation": explanation(found),
    }


def write_reproduction(found: Found, path: Path) -> None:
    """Write an HTML page, CSV or JSON, by the suffix. Raises InputError for another one."""
    if path.suffix == ".html":
        leaks: list[str] = _kind(found).leaks(found)
        rest = [line for line in explanation(found) if line not in leaks]
        name = f"{found.table.title}, and {found.dataset.name}"
        text = plain_page(name, leaks, [*findings(found), *rest], reproduction_tables(found))
    elif path.suffix == ".csv":
        text = csv_text(reproduction_rows(found))
    elif path.suffix == ".json":
        text = json.dumps(document(found), indent=2, allow_nan=False) + "\n"
    else:
        raise InputError(f"{path}: name a file that ends in {', '.join(SUFFIXES)}")
    path.write_text(text, encoding="utf-8", newline="")
