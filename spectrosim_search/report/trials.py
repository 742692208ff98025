"""What figures of the search need to know about trials, out of the frozen records."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from spectrosim_search.config.configuration import Configuration, Scalar
from spectrosim_search.report.marks import plot_text
from spectrosim_search.report.numbers import metric_title, scalar, score
from spectrosim_search.search.records import ReplicateRecord, StudyRecord, TrialRecord

__all__ = [
    "ScoredTrial",
    "flatten",
    "label",
    "score_title",
    "scored_trials",
    "search_note",
    "thin",
    "varied",
    "winner_name",
    "winners",
]


@dataclass(frozen=True)
class ScoredTrial:
    """A trial with a value, and how it came about over its cells."""

    trial: TrialRecord
    value: float  # running mean of the study's metric over its finished cells
    cells: int
    spread: float  # standard deviation over cells; NaN below two cells
    train_seconds: float  # mean over its replicates; NaN where none is known
    complete: bool

    @property
    def number(self) -> int:
        """Number of the trial in the study."""
        return self.trial.number

    def parameter(self, path: str) -> Scalar | None:
        """Value of a dotted path: as searched, else as fixed in the configuration, else None."""
        if path in self.trial.parameters:
            return self.trial.parameters[path]
        return flatten(self.trial.configuration).get(path) if self.trial.configuration is not None else None


def flatten(configuration: Configuration) -> dict[str, Scalar]:
    """Return a configuration as dotted path → value, in the order of its fields."""
    out: dict[str, Scalar] = {}

    def walk(prefix: str, node: object) -> None:
        if isinstance(node, Mapping):
            for key, value in node.items():
                walk(f"{prefix}.{key}" if prefix else str(key), value)
        elif isinstance(node, (bool, int, float, str)):
            out[prefix] = node

    walk("", configuration.to_dict())
    return out


def _value(trial: TrialRecord, replicates: list[ReplicateRecord]) -> float:
    if trial.value is not None and math.isfinite(trial.value):
        return trial.value
    if trial.intermediate:
        return float(trial.intermediate[max(trial.intermediate)])
    scores = [r.score for r in replicates if math.isfinite(r.score)]
    return float(np.mean(scores)) if scores else float("nan")


def scored_trials(record: StudyRecord) -> tuple[ScoredTrial, ...]:
    """Trials that finished or were pruned with a value, by number."""
    by_trial: dict[int, list[ReplicateRecord]] = {}
    for replicate in record.finished("search"):
        if replicate.trial_number is not None:
            by_trial.setdefault(replicate.trial_number, []).append(replicate)
    out: list[ScoredTrial] = []
    for trial in sorted(record.trials, key=lambda t: t.number):
        if trial.state not in ("COMPLETE", "PRUNED"):
            continue
        own = by_trial.get(trial.number, [])
        value = _value(trial, own)
        if not math.isfinite(value):
            continue
        scores = np.array([r.score for r in own if math.isfinite(r.score)], dtype=np.float64)
        seconds = [r.train_seconds for r in own if math.isfinite(r.train_seconds)]
        out.append(
            ScoredTrial(
                trial=trial,
                value=value,
                cells=max([len(scores), *trial.intermediate.keys()]),
                spread=float(scores.std(ddof=1)) if len(scores) > 1 else float("nan"),
                train_seconds=float(np.mean(seconds)) if seconds else float("nan"),
                complete=trial.state == "COMPLETE",
            )
        )
    return tuple(out)


def winners(record: StudyRecord) -> tuple[int, ...]:
    """Trial that the confirmation named the winner, or members of the committee that won, best first; empty before a
    confirmation or where nothing was searched."""
    c = record.confirmation
    if c is None or c.winner_trial < 0:
        return c.winner_members if c is not None else ()
    return (c.winner_trial,)


def winner_name(record: StudyRecord) -> str:
    """What the marks of these trials are called in a legend."""
    return "winning committee" if len(winners(record)) > 1 else "winner"


def score_title(record: StudyRecord) -> str:
    """Axis title of search scores."""
    return f"search score ({metric_title(record.study.metric)})"


def search_note(record: StudyRecord) -> str:
    """Return why no figure of the search can be drawn: no trial has a score yet."""
    running = sum(t.state == "RUNNING" for t in record.trials)
    tail = f"; {running} still running" if running else ""
    return f"no trial has a score yet{tail}"


def varied(record: StudyRecord, trials: tuple[ScoredTrial, ...]) -> tuple[str, ...]:
    """Dotted paths that took at least two values among the trials, in the order of the study's dimensions."""
    values: dict[str, set[Scalar]] = {}
    for t in trials:
        for path, value in t.trial.parameters.items():
            values.setdefault(path, set()).add(value)
    declared = [d.path for d in record.study.dimensions]
    order = dict.fromkeys([*declared, *values])
    return tuple(p for p in order if len(values.get(p, ())) > 1)


def thin(trials: tuple[ScoredTrial, ...], limit: int = 2000) -> tuple[tuple[ScoredTrial, ...], str]:
    """Keep the best half and the latest half of `limit` trials, with a note that says so; empty note where all stay."""
    if len(trials) <= limit:
        return trials, ""
    best = sorted(trials, key=lambda t: -t.value)[: limit // 2]
    latest = trials[-(limit - len(best)) :]
    kept = {t.number for t in (*best, *latest)}
    note = f"Shown: the best {len(best):,} and the latest {len(latest):,} of {len(trials):,} trials."
    return tuple(t for t in trials if t.number in kept), note


def label(t: ScoredTrial, *, parameters: bool = False) -> str:
    """Text of the box that appears over a trial, safe for Plotly; `parameters` lists up to 14 of them."""
    spread = f", sd over cells {score(t.spread)}" if math.isfinite(t.spread) else ""
    cells = f"{t.cells} cell" + ("s" if t.cells != 1 else "")
    lines = [f"trial {t.number} · {'finished' if t.complete else 'pruned'}", f"{score(t.value)} over {cells}{spread}"]
    if parameters:
        lines += [f"{path} = {scalar(value)}" for path, value in list(t.trial.parameters.items())[:14]]
    return "<br>".join(plot_text(line, 60) for line in lines)
