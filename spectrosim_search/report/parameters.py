"""Which of many searched parameters a figure shows, and under what name."""

from __future__ import annotations

import math
from collections.abc import Mapping

from spectrosim_search.report.trials import ScoredTrial
from spectrosim_search.search.records import StudyRecord

__all__ = ["foremost", "presence", "shares", "short_path"]

# A parameter that fewer trials than this part had (a setting of a rare choice) gives its place to commoner ones: its
# importance rests on a handful of scores.
RARE = 0.25


def shares(record: StudyRecord) -> dict[str, float]:
    """Return ``record.design["importance"]``, parameter → share, largest first; empty where none is defined."""
    given = record.design.get("importance")
    if not isinstance(given, Mapping):
        return {}
    known = [(str(k), float(v)) for k, v in given.items() if isinstance(v, (int, float)) and math.isfinite(v)]
    return dict(sorted(known, key=lambda kv: -kv[1]))


def presence(trials: tuple[ScoredTrial, ...], path: str) -> int:
    """Count the trials that had a parameter."""
    return sum(path in t.trial.parameters for t in trials)


def foremost(
    record: StudyRecord, trials: tuple[ScoredTrial, ...], paths: tuple[str, ...], limit: int
) -> tuple[tuple[str, ...], str]:
    """Keep the `limit` most important of `paths`, most important first, with a note that says so.

    All paths in the given order and an empty note where they are no more than `limit`. Parameters that fewer than a
    quarter of the trials had come after all others.
    """
    if len(paths) <= limit:
        return paths, ""
    known = shares(record)
    rare = {p: presence(trials, p) < RARE * len(trials) for p in paths}
    ranked = sorted(paths, key=lambda p: (rare[p], -known.get(p, 0.0)))
    what = f"{limit} most important" if known else f"first {limit}"
    note = f"Shown: the {what} of {len(paths)} parameters; those that few trials had stand back."
    return tuple(ranked[:limit]), note


def short_path(path: str, limit: int = 30) -> str:
    """Cut rooms off the front of a long dotted path; its last two names tell parameters apart."""
    shown = path
    while len(shown) > limit and shown.count(".") > 1:
        shown = shown.split(".", 1)[1]
    return shown if shown == path else f"…{shown}"
