"""The verdict in one sentence and the facts one must know to read it, as plain text.

Pages, tables and the command line share these words. Nothing here imports Plotly.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from typing import Any

from spectrosim_search.report.class_words import class_protocol, class_scoring, interval_words, unit_words
from spectrosim_search.report.front import front_facts
from spectrosim_search.report.marks import leak_notice
from spectrosim_search.report.numbers import count, date, duration, interval, metric_title, score, signed
from spectrosim_search.report.trials import winners
from spectrosim_search.search.label_free import CRITERIA
from spectrosim_search.search.records import CHOSEN, ConfirmationRecord, MethodRow, StudyRecord, VerdictRecord

__all__ = ["detectable", "facts", "only_fixed", "verdict_sentence", "warnings", "winner_row"]

_PROTOCOLS = {
    "batch-disjoint": "batch-disjoint: no batch of a test pair was seen in training",
    "shared-batch": "shared-batch: one spectrum of each test pair is new, its partner was seen in training",
    "random-pairs": "random-pairs: pairs split at random; leaks",
}

_SAMPLERS = {
    "tpe": "TPE",
    "random": "random",
    "qmc": "quasi-random",
    "gp": "Gaussian process",
    "cmaes": "CMA-ES",
    "nsga2": "NSGA-II",
}

_SCORING = {
    "hold-out": "on groups held out of the whole search, scored once",
    "corrected-cv": "out of fold in grouped cross-validation with fresh seeds, corrected for having chosen the winner",
    "nested": (
        "of the search as a procedure, not of one configuration: on outer folds that the search in each of them never "
        "saw (nested)"
    ),
    "fixed": "of fixed methods, out of fold in grouped cross-validation; that one leads is not corrected for",
}

_EXPORTS = {
    "model": "the searched model",
    "linear-metric": "the linear metric",
    "plda": "PLDA",
    "none": "nothing: what leads needs no model",
}


def only_fixed(record: StudyRecord) -> bool:
    """Whether nothing was searched (too few groups, or not asked for), so that fixed methods alone were compared."""
    return record.confirmation is not None and record.confirmation.scoring == "fixed"


def winner_row(record: StudyRecord) -> MethodRow | None:
    """Return the winner's row of the result table; None before a confirmation."""
    if record.confirmation is None:
        return None
    return next((r for r in record.confirmation.rows if r.kind == "winner"), None)


def verdict_sentence(record: StudyRecord) -> str:
    """Return the verdict, or why there is none yet."""
    if record.confirmation is not None:
        return record.confirmation.verdict.sentence
    done = Counter(t.state for t in record.trials)
    if not done:
        return "No verdict yet: no trial has been started."
    finished = done["COMPLETE"] + done["PRUNED"]
    running = f", {done['RUNNING']} running when this was written," if done["RUNNING"] else ""
    return (
        f"No verdict yet: {finished} of {record.study.budget.trials} trials are done{running} and nothing is "
        "confirmed. Search scores flatter the best trial; run the study again to go on to the confirmation."
    )


def detectable(design: Mapping[str, Any]) -> float:
    """Smallest difference the design can detect, wherever its summary keeps it; NaN where it does not."""
    for key in ("detectable", "detectable_difference", "smallest_detectable_difference"):
        value = design.get(key)
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            return float(value)
    return float("nan")


def _title(record: StudyRecord, name: str) -> str:
    """Title of a method in the result table; its name where it has no row."""
    rows = record.confirmation.rows if record.confirmation is not None else ()
    return next((r.title for r in rows if r.name == name), name)


def _beliefs(verdict: VerdictRecord, units: str) -> list[tuple[str, str]]:
    """How probable a lead that matters is, and how large the lead is beside the spread between groups."""
    out = []
    if (p := verdict.posterior) is not None:
        by = score(p.margin, 2)
        text = f"better by more than {by}: {p.better:.0%}; within {by}: {p.alike:.0%}; worse by more: {p.worse:.0%}"
        out.append(("Probability of a lead that matters", text.replace("%", " %")))
    if verdict.effect is not None:
        size = interval(verdict.effect, difference=True)
        out.append(("Effect size", f"{size} standard deviations between {units}"))
    return out


def _searched(record: StudyRecord) -> str:
    if only_fixed(record):
        return "nothing: fixed methods alone were compared"
    states = Counter[str](t.state for t in record.trials)
    parts = [f"{count(states['COMPLETE'])} finished", f"{count(states['PRUNED'])} pruned"]
    parts += [f"{count(states[s])} {word}" for s, word in (("FAIL", "failed"), ("RUNNING", "running")) if states[s]]
    dimensions = len(record.study.dimensions)
    space = f"{dimensions} dimension" + ("s" if dimensions != 1 else "")
    trainings = sum(r.phase == "search" for r in record.replicates)
    sampler = f"{_SAMPLERS[record.study.sampler.type]} sampler"
    outer = len(record.confirmation.outer) if record.confirmation is not None else 0
    if outer:
        sampler += f"; {outer + 1} searches alike, here the last"
    return f"{space}, {sampler}; trials: {', '.join(parts)}; {count(trainings)} training runs"


def _data(record: StudyRecord) -> str:
    d = record.dataset
    unit = f" {d.axis_unit}" if d.axis_unit else ""
    labels = f", {count(d.labels)} labels" if d.labels > 1 else ""
    return (
        f"{d.name}: {count(d.spectra)} spectra in {count(d.groups)} groups{labels}; "
        f"{count(d.channels)} channels from {d.axis_low:g} to {d.axis_high:g}{unit}"
    )


def _score_line(record: StudyRecord) -> str:
    c = record.confirmation
    if c is None:
        return "not confirmed yet"
    scoring = _SCORING[c.scoring] if record.study.task == "same-batch" else class_scoring(record)
    if record.study.task == "same-batch" and leak_notice(record) and not only_fixed(record):
        scoring = "in cross-validation over pairs, whose parts share spectra and batches, with fresh seeds"
    line = f"{metric_title(c.metric)} {scoring}; intervals: 95 %, {interval_words(record)} over {unit_words(record)}"
    if math.isfinite(c.verdict.optimism) and c.verdict.optimism > 0:
        line += f"; the correction took {score(c.verdict.optimism)} off the winner's score"
    elif record.study.confirmation.selection != "score" and c.scoring == "corrected-cv":
        line += "; finalists were chosen without labels, and nothing is taken off the winner's score"
    return line


def _chosen_without_labels(record: StudyRecord, c: ConfirmationRecord) -> str:
    """The criterion, and what labels would have chosen beside what won."""
    text = f"{CRITERIA[record.study.confirmation.selection][0]} of embeddings, which sees no group"
    if c.labels_trial < 0:  # nested scoring: of the last search, whose own score is not shown
        return text
    if c.labels_trial == c.winner_trial:
        return f"{text}; labels would have chosen the winner too"
    identity = next((t.configuration_id for t in record.trials if t.number == c.labels_trial), "")
    row = next((r for r in c.rows if r.configuration_id == identity and r.kind == "finalist"), None)
    text += f"; labels would have chosen trial {c.labels_trial}"
    if row is None:
        return text
    text += f": {metric_title(c.metric)} {interval(row.metrics.get(c.metric))}"
    return f"{text}, winner - that trial {interval(row.difference, difference=True)}"


def facts(record: StudyRecord) -> list[tuple[str, str]]:
    """Return (name, text) in reading order: score, difference, data, protocol, how scored, search, reach, times."""
    out: list[tuple[str, str]] = []
    c, row = record.confirmation, winner_row(record)
    if c is not None:
        if row is not None:
            title = metric_title(c.metric)
            who = ", ".join(map(str, winners(record)))
            who = f"committee of trials {who}" if c.winner_members else f"trial {who}"
            if c.scoring == "nested":
                who = f"of a search in each of {len(c.outer)} outer folds; {who} is exported"
            out.append(("Winner", f"{who}: {title} {interval(row.metrics.get(c.metric))}"))
            if record.study.confirmation.selection != "score":
                out.append(("Finalists chosen by", _chosen_without_labels(record, c)))
        difference = interval(c.verdict.difference, difference=True)
        if only_fixed(record):
            out.append(("Lead over the next method", difference))
        else:
            known = [r for r in c.rows if r.kind == "baseline" and not r.note.startswith("n/a")]
            best = f"{_title(record, c.verdict.best_baseline)}, best of {len(known)}"
            if c.scoring == "nested":
                best = _title(record, CHOSEN)
            out.append(("Against the best baseline", f"{difference} ({best})"))
            out += _beliefs(c.verdict, unit_words(record))
        recommended = "the committee" if c.winner_members and c.export_kind == "model" else _EXPORTS[c.export_kind]
        out.append(("Recommended for export", recommended))
    out.append(("Data", _data(record)))
    protocol = record.study.protocol.name
    names_class = record.study.task != "same-batch"
    told = class_protocol(record) if names_class else _PROTOCOLS.get(protocol, protocol)
    out.append(("Protocol", told))
    out.append(("How the score was obtained", _score_line(record)))
    out.append(("Searched", _searched(record)))
    out += front_facts(record)
    reach = detectable(record.design)
    if math.isfinite(reach):
        out.append(("Smallest difference this design can detect", f"about {score(reach, 2)}"))
    elif not names_class:
        out.append(("Smallest difference this design can detect", "n/a: the design recorded none"))
    if c is not None and c.leakage:
        audit, expected = c.leakage.get("balanced_accuracy"), c.leakage.get("expected")
        out.append(
            ("Leakage audit", f"blind to intensities, balanced accuracy {score(audit)}; expected {score(expected)}")
        )
    times = [date(record.created_at)]
    for name, seconds in (("search", record.search_seconds), ("confirmation", record.confirmation_seconds)):
        if math.isfinite(seconds) and seconds > 0:  # 0: not over, so nothing is known
            times.append(f"{name} {duration(seconds)}")
    out.append(("Started", "; ".join(times)))
    return out


def warnings(record: StudyRecord) -> list[str]:
    """Return every warning of leak, design and confirmation, each once, in this order."""
    found = [leak_notice(record)] if leak_notice(record) else []
    of_design = record.design.get("warnings", ())
    if isinstance(of_design, str):
        of_design = (of_design,)
    found += [str(w) for w in of_design]
    if record.confirmation is not None:
        found += list(record.confirmation.warnings)
        gap = record.confirmation.leakage
        audit, expected = gap.get("balanced_accuracy", math.nan), gap.get("expected", math.nan)
        if abs(audit - expected) > 0.05:
            found.append(
                f"the leakage audit scored {score(audit)} where {score(expected)} was expected "
                f"({signed(audit - expected)}): look at the splits before trusting any score"
            )
    return list(dict.fromkeys(found))
