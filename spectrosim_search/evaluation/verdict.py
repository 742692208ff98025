"""The end of a study in one plain sentence (DESIGN §5)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from spectrosim_search.evaluation.posterior import Posterior
from spectrosim_search.evaluation.scores import Estimate

__all__ = ["ExportKind", "Outcome", "Verdict", "decide", "lead"]

ExportKind = Literal["model", "linear-metric", "plda", "none"]
Outcome = Literal["better", "not worse", "cannot tell", "not searched"]

TOLERATED_MEAN = -0.01
TOLERATED_LOW = -0.05
CHANCE = {"auc": 0.5, "matched_auc": 0.5, "balanced_accuracy": 0.5, "mcc": 0.0}
TITLES = {
    "auc": "AUC",
    "matched_auc": "matched-label AUC",
    "balanced_accuracy": "balanced accuracy",
    "average_precision": "average precision",
    "mcc": "Matthews correlation",
    "eer": "equal error rate",
    "accuracy": "accuracy",
    "macro_f1": "macro F1",
}
TAKEN_AWAY: dict[str, tuple[ExportKind, str]] = {  # baselines that can be exported in the winner's stead
    "linear-metric": ("linear-metric", "The linear metric"),
    "linear-metric-tuned": ("linear-metric", "The linear metric"),
    "plda": ("plda", "PLDA"),
    "plda-tuned": ("plda", "PLDA"),
}


@dataclass(frozen=True)
class Verdict:
    """What may be said; `baseline_ahead`: the best baseline scored at least as high as the winner.

    `export_kind` is what should be taken away: the linear metric or PLDA where it is the best baseline and is ahead;
    nothing where a method leads that needs no model.
    """

    outcome: Outcome
    sentence: str
    baseline_ahead: bool
    export_kind: ExportKind


def decide(
    difference: Estimate,
    *,
    best_baseline: str,
    best_title: str,
    metric: str,
    groups: int,
    unit: str = "groups",
    p: float = float("nan"),
    belief: Posterior | None = None,
    winner: str = "the winner",
) -> Verdict:
    """Judge Δ = winner - best baseline, the baseline chosen without the groups it is judged on.

    *better*: the lower bound is above 0. *not worse*: the mean is at least -.01 and the lower bound above -.05.
    Otherwise *cannot tell*, also where Δ is undefined. p: one-sided, after Holm's correction. belief: adds to
    the sentence, not to the outcome. groups: how many independent ones (`unit`: what they are called) are judged.
    """
    scale = TITLES[metric]
    value, low, high = difference.value, difference.low, difference.high
    if math.isnan(value) or math.isnan(low):
        reason = difference.note or "too few groups"
        sentence = f"Cannot tell: {winner} could not be compared with {best_title} ({reason})."
        return Verdict("cannot tell", sentence, False, "model")
    outcome: Outcome = "cannot tell"
    if low > 0:
        outcome = "better"
    elif value >= TOLERATED_MEAN and low > TOLERATED_LOW:
        outcome = "not worse"
    ahead = value <= 0
    kind, said = TAKEN_AWAY.get(best_baseline, ("model", "")) if ahead else ("model", "")
    size = "below 0.001" if p < 0.001 else f"= {p:.3f}"
    chance = "" if math.isnan(p) else f", Holm-corrected one-sided p {size}"
    believed = ""
    if belief is not None:
        believed = f"; probability that it is better by more than {belief.margin:g}: {_percent(belief.better)}"
    sure = f"95 % interval {_signed(low)} to {_signed(high)} over {groups} {unit}{chance}{believed}"
    by = f"{abs(value):.3f} {scale}"
    against = f"the best baseline, {best_title}"
    if outcome == "better":
        text = f"Better: {winner} beats {against}, by {by} ({sure})."
    elif outcome == "not worse":
        side = "behind" if ahead else "ahead of"
        text = f"Not worse: {winner} is {by} {side} {against} ({sure}); that it is better is not shown."
    elif high < 0:
        text = f"Cannot tell that {winner} is any better: {against}, beats it by {by} ({sure})."
    else:
        side = "behind" if ahead else "ahead of"
        text = f"Cannot tell: {winner} is {by} {side} {against}, and these {unit} cannot decide ({sure})."
    if kind != "model":
        text += f" {said} needs no search and scores at least as high: use it; it is what export hands over."
    elif ahead:
        text += " The baseline needs no search and scores at least as high: prefer it."
    return Verdict(outcome, text, ahead, kind)


def lead(
    score: Estimate,
    *,
    name: str,
    title: str,
    metric: str,
    groups: int,
    needed: int,
    runner_up: str = "",
    difference: Estimate | None = None,
    among: int = 1,
    optimism: float = 0.0,
) -> Verdict:
    """What may be said where nothing was searched (or `groups` are too few to): which fixed method leads.

    score: of the method that leads (`name`, `title`). difference: its score minus that of `runner_up` (a title).
    optimism: what being picked as the best of `among` methods flatters a score by. The outcome is *not searched*;
    that a method leads the others is no proof that it is better.
    """
    few = f"{groups} groups are too few to search ({needed} are needed), so fixed methods were compared"
    if groups >= needed:
        few = "fixed methods alone were compared"
    if math.isnan(score.value):
        sentence = f"Not searched: {few}, and none of them could be scored ({score.note or 'undefined'})."
        return Verdict("not searched", sentence, False, "none")
    sure = score.note if math.isnan(score.low) else f"95 % interval {score.low:.3f} to {score.high:.3f}"
    text = f"Not searched: {few}; {title} leads with a {TITLES[metric]} of {score.value:.3f} ({sure})"
    if difference is not None and difference.value == 0:
        text += f", level with {runner_up}"
    elif difference is not None and not math.isnan(difference.low):
        spread = f"95 % interval {_signed(difference.low)} to {_signed(difference.high)}"
        text += f", {difference.value:.3f} ahead of {runner_up} ({spread})"
    if metric in CHANCE and not score.low > CHANCE[metric]:
        text += "; that it beats chance is not shown"
    if among > 1 and optimism > 0:
        text += f"; to be picked as the best of {among} flatters it by about {optimism:.3f}"
    kind, _ = TAKEN_AWAY.get(name, ("none", ""))
    return Verdict("not searched", text + ".", True, kind)


def _percent(probability: float) -> str:
    """Never certain: the tails of the posterior are no better known than that."""
    if probability < 0.01:
        return "below 1 %"
    return "above 99 %" if probability > 0.99 else f"{100 * probability:.0f} %"


def _signed(x: float) -> str:
    return f"{x:+.3f}"
