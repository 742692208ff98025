"""Nested scoring fold by fold: what each search promised and what its winner was worth on groups it never saw."""

from __future__ import annotations

import html

from spectrosim_search.report.numbers import metric_title, score, signed
from spectrosim_search.search.records import StudyRecord

__all__ = ["outer_rows", "outer_section"]

_ABOUT = (
    "{metric} in each outer fold. Best in search: the highest score of any finished trial; inner: the winner's, "
    "trained again with fresh seeds, out of fold among the groups that chose it; outer: the same configuration on the "
    "groups that its search never saw. A fall from left to right is what searching flattered it by (overtuning). The "
    "baseline is the one that led on the inner out-of-fold pairs."
)


def outer_rows(record: StudyRecord) -> list[dict[str, str]]:
    """Return one dict an outer fold, equal keys in equal order; empty where scoring is not nested."""
    c = record.confirmation
    return [
        {
            "outer fold": str(number),
            "groups": str(fold.groups),
            "best in search": score(fold.best_search),
            "inner": score(fold.inner),
            "outer": score(fold.outer),
            "outer - inner": signed(fold.outer - fold.inner),
            "baseline": fold.baseline_title,
            "its outer": score(fold.baseline_outer),
            "winner": fold.settings,
        }
        for number, fold in enumerate(c.outer if c is not None else (), 1)
    ]


def outer_section(record: StudyRecord) -> str:
    """The same as a table of the page; empty where scoring is not nested."""
    rows = outer_rows(record)
    if not rows or record.confirmation is None:
        return ""
    about = html.escape(_ABOUT.format(metric=metric_title(record.confirmation.metric)))
    head = "".join(f'<th scope="col">{html.escape(name)}</th>' for name in rows[0])
    body = ""
    for row in rows:
        first, *others = row.values()
        cells = "".join(f"<td>{html.escape(value)}</td>" for value in others)
        body += f'<tr><th scope="row">{html.escape(first)}</th>{cells}</tr>'
    return (
        f'<section class="card table" aria-label="Outer folds"><h3 id="outer-folds">Outer folds</h3>'
        f'<p class="about">{about}</p>'
        '<div class="scroll" tabindex="0" role="region" aria-label="Outer folds">'
        f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div></section>"
    )
