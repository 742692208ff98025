"""Tables of text as files: one HTML page without scripts, CSV, JSON rows."""

from __future__ import annotations

import csv
import html
import io
import math
from collections.abc import Mapping, Sequence

from spectrosim_search.report.document import stylesheet

__all__ = ["Value", "csv_text", "finite_rows", "plain_page"]

Value = str | float | bool | int


def plain_page(
    name: str, leaks: Sequence[str], lines: Sequence[str], tables: Mapping[str, list[dict[str, str]]]
) -> str:
    """A page with sentences and tables by their titles, the first column of each naming its row.

    `leaks`: sentences on numbers that leak, marked and set before all else.
    """
    parts = [f'<p class="leak">{html.escape(text)}</p>' for text in leaks]
    parts += [f"<p>{html.escape(text)}</p>" for text in lines]
    for title, rows in tables.items():
        head = "".join(f'<th scope="col">{html.escape(column)}</th>' for column in rows[0])
        body = ""
        for row in rows:
            first, *rest = row.values()
            cells = "".join(f"<td>{html.escape(text)}</td>" for text in rest)
            body += f'<tr><th scope="row">{html.escape(first)}</th>{cells}</tr>'
        parts.append(
            f'<section class="card"><h3>{html.escape(title)}</h3><div class="scroll"><table>'
            f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div></section>"
        )
    shown = html.escape(name)
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n"
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{shown}</title>\n<style>\n{stylesheet()}</style>\n</head>\n<body>\n"
        f'<main class="page section">\n<h1>{shown}</h1>\n{"".join(parts)}\n</main>\n</body>\n</html>\n'
    )


def csv_text(rows: Sequence[Mapping[str, Value]]) -> str:
    """Rows of equal columns as CSV."""
    stream = io.StringIO(newline="")
    writer = csv.DictWriter(stream, fieldnames=list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    return stream.getvalue()


def finite_rows(rows: Sequence[Mapping[str, Value]]) -> list[dict[str, Value | None]]:
    """Rows for JSON, which has no NaN: undefined numbers become None."""
    return [{k: None if isinstance(v, float) and not math.isfinite(v) else v for k, v in r.items()} for r in rows]
