"""The parts of the page that are not figures: headline, result table, trials, configuration, environment.

Every text from outside passes through :func:`html.escape`.
"""

from __future__ import annotations

import html
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from spectrosim_search.config.study import Dimension
from spectrosim_search.report.class_words import interval_words, unit_words
from spectrosim_search.report.families import family
from spectrosim_search.report.headline import facts, only_fixed, verdict_sentence, warnings
from spectrosim_search.report.marks import leak_notice
from spectrosim_search.report.numbers import count, metric_title, scalar, score
from spectrosim_search.report.table import ordered_methods, result_rows
from spectrosim_search.report.trials import flatten, scored_trials, winners
from spectrosim_search.search.records import StudyRecord

__all__ = ["environment", "headline", "result_table", "trial_table"]

_RANKS = "Ranks go by the estimate alone: methods whose intervals overlap may well change places on other data."
_MOST_TRIALS = 200
_FOLDED = 400  # characters: settings of tuned methods stay open, fifty searched parameters do not


def _leak(record: StudyRecord) -> str:
    notice = leak_notice(record)
    return f'<p class="leak" role="note">{html.escape(notice)}</p>' if notice else ""


def headline(record: StudyRecord) -> str:
    """Verdict, the facts one must know to read it, and every warning."""
    c = record.confirmation
    outcome = c.verdict.outcome if c is not None else "none"
    tone = "leaking" if leak_notice(record) else outcome.replace(" ", "-")
    word = (outcome if c is not None else "none yet") + (", under a leaking protocol" if leak_notice(record) else "")
    lines = "".join(f"<dt>{html.escape(n)}</dt><dd>{html.escape(t)}</dd>" for n, t in facts(record))
    found = [w for w in warnings(record) if w != leak_notice(record)]
    listed = "".join(f"<li>{html.escape(w)}</li>" for w in found)
    block = f'<div class="card warnings"><h3>Warnings</h3><ul>{listed}</ul></div>' if listed else ""
    description = record.study.description
    about = f'<p class="lead">{html.escape(description)}</p>' if description else ""
    return (
        f'<header><p class="eyebrow">Report of the study</p><h1>{html.escape(record.study.name)}</h1>{about}'
        f"{_leak(record)}"
        f'<div class="card verdict {tone}"><p class="outcome">Verdict: {html.escape(word)}</p>'
        f'<p class="sentence">{html.escape(verdict_sentence(record))}</p><dl class="facts">{lines}</dl></div>{block}'
        '<nav aria-label="Parts of the report"><a href="#result">Result</a><a href="#search">Search</a>'
        '<a href="#trials">Trials</a><a href="#process">Process</a><a href="#environment">Environment</a></nav>'
        "</header>"
    )


def _cell(column: str, text: str) -> str:
    if text.startswith("n/a"):
        value, _, reason = text.partition(" (")
        small = f"<small>{html.escape(reason.removesuffix(')'))}</small>" if reason else ""
        return f'<td class="undefined{" reasoned" if reason else ""}">{value}{small}</td>'
    value, bracket, rest = text.partition(" [")
    small = f"<small>{html.escape(bracket.strip() + rest)}</small>" if bracket else ""
    return f"<td>{html.escape(value)}{small}</td>"


def result_table(record: StudyRecord) -> str:
    """Every method with its metrics and intervals, the winner's difference and the adjusted p value."""
    rows = result_rows(record)
    if not rows:
        return ""
    hidden = ("method", "kind", "settings")
    columns = ["rank", *(c for c in rows[0] if c not in (*hidden, "rank") and any(row[c] for row in rows))]
    head = "".join(f'<th scope="col">{html.escape(c)}</th>' for c in columns)
    best = record.confirmation.verdict.best_baseline if record.confirmation is not None else ""
    body, last = "", ""
    for row, method in zip(rows, ordered_methods(record), strict=True):
        if (own := family(method)) != last:
            body += f'<tr class="family"><th scope="colgroup" colspan="{len(columns) + 1}">{html.escape(own)}</th></tr>'
            last = own
        cells = "".join(_cell(c, row[c]) for c in columns)
        leads = "best baseline" if method.name == best and not only_fixed(record) else ""
        under = "; ".join(t for t in (leads, method.note) if t)
        name = f'<th scope="row">{html.escape(row["method"])}<small>{html.escape(under)}</small></th>'
        body += f'<tr class="method {method.kind}{" best" if leads else ""}">{name}{cells}</tr>'
    leak = '<p class="leak small">Leaking protocol: these numbers overstate</p>' if leak_notice(record) else ""
    return (
        f'<div class="card table">{leak}<p class="about" id="about-table">{html.escape(_about(record))}</p>'
        '<div class="scroll" tabindex="0" role="region" aria-label="Result table" aria-describedby="about-table">'
        f'<table id="result-table"><thead><tr><th scope="col">method</th>{head}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>{_settings(record)}</div>"
    )


def _about(record: StudyRecord) -> str:
    """How to read the result table, true for the way in which this study was scored."""
    c, units = record.confirmation, unit_words(record)
    if only_fixed(record):
        how = f"Estimates with 95 % intervals over {units} ({interval_words(record)})"
        return f"{how}. n/a: undefined, with the reason. {_RANKS}"
    text = (
        f"Estimates with 95 % intervals over {units} ({interval_words(record)}). Differences are paired over {units}; "
        "p is one-sided (is the winner better?), adjusted after Holm over all tests against baselines, and given for "
        "these alone. The spread over seeds is training noise, no more. n/a: undefined, with the reason, or not "
        f"tested. {_RANKS}"
    )
    if c is not None and c.verdict.optimism > 0:
        text += (
            f" Corrected for the winner's selection (by {score(c.verdict.optimism)}): {metric_title(c.metric)} of "
            "winner and finalists, and the winner's differences from presets and reference rows; other metrics are as "
            "measured."
        )
    return text


def _settings(record: StudyRecord) -> str:
    """What each method used, in a fold of its own: a line of settings would stretch the table over the page."""
    rows = [(m.title, m.settings) for m in ordered_methods(record) if m.settings]
    if not rows:
        return ""
    inner = _table(("method", "settings"), rows, "Settings of the methods")
    return f"<details><summary>Settings of the methods</summary>{inner}</details>"


def _text_cell(text: str) -> str:
    """A cell; text of many lines is folded behind its beginning, so that the rows of a table stay comparable."""
    shown = html.escape(text)
    if len(text) > _FOLDED:
        begin = html.escape(text[:50].rpartition(" ")[0] or text[:50])
        shown = f'<details class="inside"><summary>{begin} …</summary>{shown}</details>'
    return f'<td class="{"long" if len(text) > 60 else ""}">{shown}</td>'


def _table(head: Sequence[str], rows: Iterable[Iterable[str]], label: str) -> str:
    columns = "".join(f'<th scope="col">{html.escape(h)}</th>' for h in head)
    body = ""
    for row in rows:
        first, *rest = row
        cells = "".join(_text_cell(v) for v in rest)
        body += f'<tr><th scope="row">{html.escape(first)}</th>{cells}</tr>'
    kind = ' class="narrow"' if len(head) == 2 else ""
    return (
        f'<div class="scroll" tabindex="0" role="region" aria-label="{html.escape(label)}">'
        f"<table{kind}><thead><tr>{columns}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def _reasons(record: StudyRecord, most: int = 12) -> list[str]:
    """Reasons that differ in their numbers alone, counted together with the first as an example; commonest first."""
    alike: dict[str, list[str]] = {}
    for t in record.trials:
        if t.reason and t.state in ("PRUNED", "FAIL"):
            kind = re.sub(r"\bcells\b", "cell", re.sub(r"\d+(\.\d+)?", "#", t.reason))
            alike.setdefault(kind, []).append(t.reason)
    ranked = sorted(alike.values(), key=lambda own: -len(own))[:most]
    return [
        f"{count(len(own))} trial{'s' if len(own) > 1 else ''}{', such as' if len(set(own)) > 1 else ''}: {own[0]}"
        for own in ranked
    ]


def trial_table(record: StudyRecord) -> str:
    """Why trials ended, and the best of them with their parameters, in folds that open on demand."""
    every = sorted(scored_trials(record), key=lambda t: (not t.complete, -t.value))
    listed = "".join(f"<li>{html.escape(line)}</li>" for line in _reasons(record))
    why = f'<h3>Why trials ended early</h3><ul class="reasons">{listed}</ul>' if listed else ""
    rows = [
        (
            f"{t.number}",
            "finished" if t.complete else "pruned",
            score(t.value),
            score(t.spread),
            str(t.cells),
            t.trial.reason,
            ", ".join(f"{k} {scalar(v)}" for k, v in t.trial.parameters.items()),
        )
        for t in every[:_MOST_TRIALS]
    ]
    head = ("trial", "state", "search score", "sd over cells", "cells", "reason", "parameters")
    title = "Trials" if len(every) <= _MOST_TRIALS else f"The best {_MOST_TRIALS} of {count(len(every))} trials"
    mark = '<p class="leak small">Leaking protocol: these numbers overstate</p>' if leak_notice(record) else ""
    inner = _table(head, rows, "Trials") if rows else '<p class="absent">No trial has a score yet.</p>'
    return (
        f'<section class="card" aria-label="Trials"><h3 id="trials">{title}</h3>{mark}{why}'
        f"<details><summary>Show the table of trials</summary>{inner}</details></section>"
    )


def _limits(dimension: Dimension) -> str:
    if dimension.kind == "categorical":
        return ", ".join(scalar(c) for c in dimension.choices)
    return f"{dimension.low:g} to {dimension.high:g}" + (", logarithmic" if dimension.log else "")


def _configuration(record: StudyRecord) -> str:
    """The winner's configuration, those of a committee's members, or the best trial's, with what was searched."""
    scored = scored_trials(record)
    wanted = winners(record)
    who = "a member of the winning committee" if len(wanted) > 1 else "the winner"
    if record.confirmation is None and scored:
        wanted, who = (max(scored, key=lambda t: (t.complete, t.value)).number,), "the best trial so far"
    by_number = {t.number: t for t in record.trials}
    limits = {d.path: _limits(d) for d in record.study.dimensions}
    parts = []
    for number in wanted:
        trial = by_number.get(number)
        if trial is None or trial.configuration is None:
            continue
        rows = [(path, scalar(value), limits.get(path, "")) for path, value in flatten(trial.configuration).items()]
        parts.append(
            f"<details><summary>Configuration of {who}, trial {trial.number} "
            f"({html.escape(trial.configuration_id)})</summary>"
            f"{_table(('setting', 'value', 'searched over'), rows, f'Configuration of trial {number}')}</details>"
        )
    return "".join(parts)


def _design_text(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.4g}" if math.isfinite(value) else "n/a"
    if isinstance(value, Mapping):
        return ", ".join(f"{k} {_design_text(v)}" for k, v in value.items())
    if isinstance(value, (list, tuple)):
        return "; ".join(_design_text(v) for v in value) or "none"
    return str(value)


def _design(design: Mapping[str, Any]) -> str:
    """The design's summary: a table of its parts where it lists any, then everything else name by name."""
    parts = design.get("parts")
    shown = ""
    if isinstance(parts, (list, tuple)) and parts and all(isinstance(p, Mapping) for p in parts):
        columns = list(dict.fromkeys(str(k) for p in parts for k in p))
        rows = [[_design_text(p.get(c, "")) for c in columns] for p in parts]
        shown = _table([c.replace("_", " ") for c in columns], rows, "Parts of the design")
    left_out = {"warnings", "importance"} | ({"parts"} if shown else set())
    others = [(str(k).replace("_", " "), _design_text(v)) for k, v in design.items() if k not in left_out]
    shown += _table(("what", "value"), others, "Design") if others else ""
    return f"<details><summary>Design in figures</summary>{shown}</details>" if shown else ""


def environment(record: StudyRecord) -> str:
    """Packages, hardware, fingerprints, the design in figures and the winner's configuration."""
    confirmation = record.confirmation
    identities = [
        ("data fingerprint", record.dataset.fingerprint),
        ("question", record.study.question),
        ("study seed", str(record.study.seed)),
        ("search metric", metric_title(record.study.metric)),
    ]
    if confirmation is not None and not only_fixed(record):
        identities.append(("winner's configuration", confirmation.winner_configuration_id))
        identities.append(("median chosen epoch", str(confirmation.epochs)))
    parts = [_table(("what", "value"), identities, "Identities")]
    for place, one in enumerate(record.environments, 1):
        used = sum(r.environment_id == one.id for r in record.replicates)
        rows = [*((k, v) for k, v in one.hardware.items()), *((k, v) for k, v in sorted(one.packages.items()))]
        name = f"Environment {place} of {len(record.environments)} ({html.escape(one.id)}): {count(used)} training runs"
        opened = " open" if len(record.environments) == 1 else ""
        parts.append(
            f"<details{opened}><summary>{name}</summary>{_table(('what', 'value'), rows, 'Environment')}</details>"
        )
    if not record.environments:
        parts.append('<p class="absent">No environment has been recorded.</p>')
    parts.append(_design(record.design))
    return (
        '<section class="card" aria-labelledby="environment"><h3 id="environment">Environment</h3>'
        f"{''.join(parts)}{_configuration(record)}</section>"
    )
