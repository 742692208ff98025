"""Several studies beside each other: methods × data sets, the verdicts, and ranks over data sets.

A page says nothing of how *one* data set was judged that its own report does not say better.
"""

from __future__ import annotations

import html
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from spectrosim_search.config.errors import InputError
from spectrosim_search.evaluation.critical_difference import CriticalDifference, critical_difference
from spectrosim_search.report.document import figure_card, frame, write_text
from spectrosim_search.report.families import FAMILIES, family
from spectrosim_search.report.marks import leak_notice
from spectrosim_search.report.numbers import count, interval, metric_title, p_value, score
from spectrosim_search.report.table import escaped
from spectrosim_search.search.records import Estimate, MethodRow, StudyRecord

__all__ = ["Comparison", "compare", "markdown", "render", "write_comparison"]

_RANKED = 3  # data sets, and methods, from which ranks are compared
_CLEAR = 0.05  # p below which a pair is named
_CAPTION = (
    "Mean rank of each method over the data sets, 1 is best. Methods under one bar cannot be told apart (Nemenyi). "
    "With few data sets nearly everything stands under one bar: that is no proof of equality."
)


@dataclass(frozen=True, eq=False)
class Comparison:
    """M methods that every study has, by S studies; `scores` ``(M, S)`` are higher for better methods.

    rows: each method's row of the result table, in the order of the studies. left_out: titles of methods that some
    studies lack or could not score. ranks: None where `unranked` says why.
    """

    metric: str
    studies: tuple[StudyRecord, ...]
    names: tuple[str, ...]
    titles: tuple[str, ...]
    families: tuple[str, ...]
    rows: tuple[tuple[MethodRow, ...], ...]
    scores: NDArray[np.float64]
    left_out: tuple[str, ...]
    ranks: CriticalDifference | None
    unranked: str


def compare(records: Sequence[StudyRecord], metric: str = "") -> Comparison:
    """Bring studies together by the metric that all were judged by, or by `metric`.

    Finalists are no methods: a finalist of one study is none of another. Raises InputError for fewer than two studies,
    one without a confirmation, studies judged by different metrics, an unknown metric, or no method in common.
    """
    if len(records) < 2:
        raise InputError(f"{len(records)} study to compare: name two or more")
    for r in records:
        if r.confirmation is None:
            raise InputError(f"study '{r.study.name}' has no confirmation yet: run it to its end first")
    confirmed = [r.confirmation for r in records if r.confirmation is not None]
    asked = sorted({c.metric for c in confirmed})
    if not metric and len(asked) > 1:
        raise InputError(f"the studies were judged by different metrics ({', '.join(asked)}): name one with --metric")
    wanted = metric or asked[0]
    known = {m for c in confirmed for row in c.rows for m in row.metrics}
    if wanted not in known:
        raise InputError(f"no study has the metric '{wanted}'; there are {', '.join(sorted(known))}")
    tables = [{row.name: row for row in c.rows if row.kind not in ("finalist", "oracle", "audit")} for c in confirmed]
    every = dict.fromkeys(name for table in tables for name in table)
    common = [n for n in every if all(n in t and math.isfinite(_score(t[n], wanted)) for t in tables)]
    if not common:
        raise InputError("the studies have no method in common: run them with the same baselines")
    sign = -1.0 if wanted == "eer" else 1.0
    common.sort(key=lambda n: (FAMILIES.index(family(tables[0][n])), -sum(sign * _score(t[n], wanted) for t in tables)))
    scores = np.array([[_score(t[n], wanted) for t in tables] for n in common])
    titles = tuple("searched winner" if n == "winner" else tables[0][n].title for n in common)
    unranked = _unranked(records, common)
    return Comparison(
        metric=wanted,
        studies=tuple(records),
        names=tuple(common),
        titles=titles,
        families=tuple(family(tables[0][n]) for n in common),
        rows=tuple(tuple(t[n] for t in tables) for n in common),
        scores=sign * scores,
        left_out=tuple(next(t[n].title for t in tables if n in t) for n in every if n not in common),
        ranks=None if unranked else critical_difference(sign * scores.T, titles),
        unranked=unranked,
    )


def _score(row: MethodRow, metric: str) -> float:
    return row.metrics[metric].value if metric in row.metrics else math.nan


def _unranked(records: Sequence[StudyRecord], common: Sequence[str]) -> str:
    """Why ranks over these studies would say nothing; empty where they do."""
    prints = [r.dataset.fingerprint for r in records]
    if len(set(prints)) < len(prints):
        return "two studies are of one data set, so they are no independent blocks"
    if len(records) < _RANKED:
        return f"ranks are compared over {_RANKED} data sets or more"
    if len(common) < _RANKED:
        return f"ranks are compared between {_RANKED} methods or more"
    return ""


def _cell(estimate: Estimate, *, best: bool) -> str:
    value, _, bounds = interval(estimate).partition(" ")
    value = f"<b>{value}</b>" if best else value
    return f"<td>{value}{f'<small>{html.escape(bounds)}</small>' if bounds else ''}</td>"


def _mean_ranks(c: Comparison) -> NDArray[np.float64]:
    """Mean rank of each method over the studies ``(M,)``, 1 is best; ties share theirs."""
    from scipy.stats import rankdata

    return np.asarray(rankdata(-c.scores, axis=0).mean(axis=1), dtype=np.float64)


def _about(c: Comparison) -> str:
    """What the numbers of the table are, and which methods are not in it."""
    left = f" Left out, for not every study has scored them: {', '.join(c.left_out)}." if c.left_out else ""
    corrected = (
        "The winner's score is corrected for its selection, or was judged on groups held out of the search."
        if all(r.confirmation is not None and r.confirmation.metric == c.metric for r in c.studies)
        else "The winner was chosen by another metric in some studies, and this one is not corrected for the selection."
    )
    return f"{metric_title(c.metric)} with 95 % intervals over groups. {corrected}{left}"


def _table(c: Comparison) -> str:
    """Methods × data sets with intervals; the best of each column stands bold."""
    heads = "".join(
        f'<th scope="col">{html.escape(r.dataset.name)}<small>{html.escape(r.study.name)}</small></th>'
        for r in c.studies
    )
    ranks = _mean_ranks(c)
    body, last = "", ""
    for i, title in enumerate(c.titles):
        if c.families[i] != last:
            last = c.families[i]
            columns = len(c.studies) + 2
            body += f'<tr class="family"><th scope="colgroup" colspan="{columns}">{html.escape(last)}</th></tr>'
        cells = "".join(
            _cell(row.metrics[c.metric], best=bool(c.scores[i, s] >= c.scores[:, s].max()))
            for s, row in enumerate(c.rows[i])
        )
        kind = "method winner" if c.names[i] == "winner" else "method"
        body += f'<tr class="{kind}"><th scope="row">{html.escape(title)}</th><td>{ranks[i]:.2f}</td>{cells}</tr>'
    return (
        f'<div class="card table"><p class="about" id="about-table">{html.escape(_about(c))}</p>'
        '<div class="scroll" tabindex="0" role="region" aria-label="Methods and data sets" '
        'aria-describedby="about-table"><table id="result-table"><thead><tr><th scope="col">method</th>'
        f'<th scope="col">mean rank</th>{heads}</tr></thead><tbody>{body}</tbody></table></div></div>'
    )


def _verdicts(c: Comparison) -> str:
    rows = ""
    for r in c.studies:
        assert r.confirmation is not None
        v, leak = r.confirmation.verdict, " (leaking protocol)" if leak_notice(r) else ""
        cells = (
            f"{count(r.dataset.spectra)} spectra, {count(r.dataset.groups)} groups",
            r.study.protocol.name + leak,
            r.confirmation.scoring,
            v.outcome,
            interval(v.difference, difference=True),
        )
        inner = "".join(f"<td>{html.escape(t)}</td>" for t in cells)
        name = f'<th scope="row">{html.escape(r.dataset.name)}<small>{html.escape(r.study.name)}</small></th>'
        rows += f'<tr>{name}{inner}<td class="long">{html.escape(v.sentence)}</td></tr>'
    names = ("data set", "size", "protocol", "scored by", "verdict", "against its best baseline", "in words")
    head = "".join(f'<th scope="col">{n}</th>' for n in names)
    return (
        '<div class="card table"><div class="scroll" tabindex="0" role="region" aria-label="Verdicts">'
        f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div></div>"
    )


def _tests(ranks: CriticalDifference, c: Comparison) -> str:
    """What the tests over data sets say: Iman and Davenport's, and signed ranks of the winner against each method."""
    told = (
        f"{ranks.blocks} data sets; all methods alike: p {p_value(ranks.p)} (Iman and Davenport's F "
        f"{ranks.statistic:.2f})."
    )
    if "winner" in c.names:
        own = c.names.index("winner")
        pairs = {c.titles[b if a == own else a]: p for (a, b), p in ranks.pairwise.items() if own in (a, b)}
        clear = [f"{title} {p_value(p)}" for title, p in pairs.items() if p < _CLEAR]
        shown = "; ".join(clear) if clear else f"none of {len(pairs)} differs (p below .05)"
        told += f" Winner against each by signed ranks, after Holm: {shown}."
    return told


def _ranked(c: Comparison) -> str:
    """The diagram with its tests, or why there is none."""
    if c.ranks is None:
        return f'<div class="card absent"><h3>Not shown</h3><p class="absent">{html.escape(c.unranked)}</p></div>'
    from spectrosim_search.report.critical_difference import figure

    built = figure(c.ranks)
    built.layout.meta["note"] = _tests(c.ranks, c)
    card = figure_card("ranks", "Ranks over data sets", _CAPTION, built, whole_row=True)
    return f'<div class="grid">{card}</div>'


def _tally(c: Comparison) -> str:
    """On how many data sets the winner leads, and what their studies concluded."""
    outcomes = [r.confirmation.verdict.outcome for r in c.studies if r.confirmation is not None]
    tally = ", ".join(f"{outcomes.count(o)} × {o}" for o in dict.fromkeys(outcomes))
    ahead = [r for r in c.studies if r.confirmation is not None and r.confirmation.verdict.difference.value > 0]
    return (
        f"The searched winner is ahead of the best baseline on {len(ahead)} of {len(c.studies)} data sets; verdicts: "
        f"{tally}."
    )


def markdown(c: Comparison) -> str:
    """Methods × data sets in Markdown, by mean rank, with what the verdicts and the tests over data sets say."""
    leaking = next((leak_notice(r) for r in c.studies if leak_notice(r)), "")
    ranks = _mean_ranks(c)
    head = ["mean rank", "method", *(r.dataset.name for r in c.studies)]
    lines = [head, ["---"] * len(head)]
    for i in np.argsort(ranks, kind="stable"):
        cells = (interval(row.metrics[c.metric]) for row in c.rows[i])
        lines.append([f"{ranks[i]:.2f}", c.titles[i], *cells])
    lines.append(["", "*verdict of the winner*", *(_outcome(r) for r in c.studies)])
    table = "\n".join(f"| {' | '.join(escaped(cell) for cell in line)} |" for line in lines)
    tested = c.unranked if c.ranks is None else _tests(c.ranks, c)
    parts = [f"> {leaking}" if leaking else "", _about(c), table, _tally(c), tested[:1].upper() + tested[1:]]
    return "\n\n".join(part for part in parts if part) + "\n"


def _outcome(record: StudyRecord) -> str:
    return "" if record.confirmation is None else record.confirmation.verdict.outcome


def render(c: Comparison) -> str:
    """Return the page as HTML text."""
    leaking = next((leak_notice(r) for r in c.studies if leak_notice(r)), "")
    notice = f'<p class="leak" role="note">{html.escape(leaking)}</p>' if leaking else ""
    mean = "n/a"
    if "winner" in c.names:
        mean = score(math.fsum(r.metrics[c.metric].value for r in c.rows[c.names.index("winner")]) / len(c.studies))
    body = (
        f'<header><p class="eyebrow">Comparison of studies</p><h1>{len(c.studies)} data sets, {len(c.titles)} methods'
        f'</h1>{notice}<div class="card verdict"><p class="sentence">{html.escape(_tally(c))}</p>'
        f'<dl class="facts"><dt>Metric</dt><dd>{html.escape(metric_title(c.metric))}</dd>'
        f"<dt>Winner, mean over data sets</dt><dd>{mean}</dd></dl></div></header>"
        '<section class="section" aria-labelledby="result"><h2 id="result">Scores</h2>'
        '<p class="lead">Each column is a study of its own with its own groups; rows are methods that every study '
        f"has.</p>{_table(c)}{_ranked(c)}</section>"
        '<section class="section" aria-labelledby="verdicts"><h2 id="verdicts">Verdicts</h2>'
        f'<p class="lead">What each study concluded by itself.</p>{_verdicts(c)}</section>'
    )
    return frame("Comparison of studies", body)


def write_comparison(records: Sequence[StudyRecord], path: str | Path, metric: str = "") -> Path:
    """Write the page and return its path; raises as :func:`compare`, and as the report where it cannot be written."""
    return write_text(render(compare(records, metric)), path)
