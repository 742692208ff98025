"""How to read the report, figure by figure: the words of the page itself, as Markdown.

``docs/report.md`` is this text; ``python -m spectrosim_search.report.guide`` prints it.
"""

from __future__ import annotations

from spectrosim_search.config.study import Task
from spectrosim_search.report.members import SECTIONS, Section, members

__all__ = ["guide"]

_OPENING = """\
# How to read the report

`spectrosim-search report STUDY -o report.html` writes one HTML file that opens without a network. It says first what
the study found, then how it was found. Text in this page and beside each figure is the same.

## Head

The verdict in one sentence: *better*, *not worse* or *cannot tell*, by how much, how sure. Below it stand the facts
needed to judge it: the winner's score with its interval, the difference from the best baseline, data, protocol, how
the score was obtained, what was searched, and the smallest difference that a design of this size can detect. Warnings
follow. Before the confirmation has run there is no verdict, and no search score takes its place.
"""

_LEADS: dict[Section, str] = {
    "result": (
        "Confirmed scores only. The table has a row for each method: winner, other finalists, presets, reference rows "
        "that need no search, on simulated data the ceiling, and the leakage audit. Where the winner was chosen on the "
        "groups it is judged on, what this flatters it by is taken off, and the text above the table says by how much. "
        "A committee is the mean similarity of the best trials; where it won, its members are marked in the figures of "
        "the search. "
        "What each method used stands in the fold under the table."
    ),
    "search": (
        "Search scores, made to choose trials by. The best of many is flattered by chance: none of these numbers is "
        "the result. With many parameters, slices and parallel coordinates show the most important ones."
    ),
    "process": "What ran when. Package versions, hardware, fingerprints and the winner's configuration stand below it.",
}


_NAMING: tuple[Task, ...] = ("identify", "pretrain", "synthesis")

_NAMED = """\
## Studies that name a class

The report of a study `identify`, `pretrain` or `synthesis` says which class a spectrum was named instead of how alike
two are: accuracy and macro F1, intervals over what is independent (classes, groups or spectra, as the head says). In
place of the figures on pairs it has:
"""

_SEVERAL = """\
## Several studies

`spectrosim-search compare STUDY STUDY … -o compare.html` (`--storage` may be given several times) sets studies of
different data beside each other: a row for each method that all of them have, a column for each data set with scores
and intervals, and every verdict. From three data sets and three methods on it draws Demšar's critical-difference
diagram: mean ranks, and bars over methods that Nemenyi's distance cannot tell apart. Two studies of one data set are
no independent blocks, so there is no diagram then. `--markdown` prints the same table, by mean rank.
"""


def guide() -> str:
    """Return the guide: head, then each section's figures in the order of the page, with their captions."""
    parts = [_OPENING]
    for section, title in SECTIONS.items():
        parts.append(f"## {title}\n\n{_LEADS[section]}\n")
        parts += [f"### {m.title}\n\n{m.caption}\n" for m in members(section)]
    parts.append(_NAMED)
    own = {m.name: m for task in _NAMING for m in members(task=task) if not m.serves("same-batch")}
    for m in sorted(own.values(), key=lambda m: (m.module.ORDER, m.name)):
        tasks = [t for t in _NAMING if m.serves(t)]
        alone = "" if len(tasks) == len(_NAMING) else f" ({', '.join(tasks)} alone)"
        parts.append(f"### {m.title}{alone}\n\n{m.caption}\n")
    parts.append("A figure that a study's records cannot fill is listed under *Not shown*, with the reason.\n")
    parts.append(_SEVERAL)
    return "\n".join(parts)


if __name__ == "__main__":
    print(guide(), end="")
