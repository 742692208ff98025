"""The README.md of a model folder, written for the chemist who is handed it."""

from __future__ import annotations

import math
from collections import Counter
from typing import TYPE_CHECKING

from spectrosim_search.deploy.embedding import has_own
from spectrosim_search.evaluation.scores import Estimate
from spectrosim_search.spectra.preprocessing import describe

if TYPE_CHECKING:
    from spectrosim_search.deploy.decision import Decision
    from spectrosim_search.deploy.model_folder import ModelFolder

__all__ = ["model_card"]


def model_card(folder: ModelFolder) -> str:
    """Return Markdown: what the model is, what it learnt from, how good it is, its limits, how to use it."""
    return "\n\n".join([_what(folder), _data(folder), _quality(folder), _limits(folder), _use(folder)]) + "\n"


def _what(folder: ModelFolder) -> str:
    metric = folder.document.linear_metric
    compared = ", compared by probabilistic linear discriminant analysis" if metric and has_own(folder.parts) else ""
    kind = {
        "model": "a contrastive neural network",
        "committee": f"a committee of {len(folder.parts)} contrastive models, whose similarities are averaged",
        "linear-metric": "a linear metric (principal components, whitened by the spread within groups)" + compared,
    }[folder.document.kind]
    return (
        f"# {folder.name}\n\n"
        f"Tells whether two spectra come from the same group (batch, lot, culture, individual: whatever `group` "
        f"was in the training data). It is {kind}. Two spectra are compared by one number, the similarity, "
        f"{_scale(folder)}.\n\n"
        f"Trained on {folder.created_at[:10]}; identity `{folder.document.identity}`."
    )


def _scale(folder: ModelFolder) -> str:
    """What numbers a similarity can be."""
    if not has_own(folder.parts):
        return "between -1 and 1"
    if folder.document.linear_metric is not None:
        return "a log likelihood ratio of one group against two as PLDA's normal distributions have it: any number"
    kinds = Counter(
        (c.training.comparison, c.training.comparison_rounds > 0, c.training.comparison_neighbours > 0)
        for c in folder.document.configurations
    )
    named = {
        "cosine": "a cosine",
        "euclidean": "minus a squared distance",
        "plda": "a log likelihood ratio of one group against two (PLDA)",
    }
    sphere = " of embeddings whitened within groups and brought to length one"
    less = " less its mean with the nearest training groups"
    what = ", ".join(
        named[kind] + (sphere if rounds else "") + (less if local else "") for kind, rounds, local in kinds
    )
    return f"{'the mean of ' if len(kinds) > 1 else ''}{what}, on the scale of cosines, though not limited to -1 and 1"


def _data(folder: ModelFolder) -> str:
    d, unit = folder.data, f" {folder.axis_unit}" if folder.axis_unit else ""
    lines = [
        "## Trained on",
        "",
        f"- {d['spectra']} spectra of {d['groups']} groups"
        + (f" and {d['labels']} labels" if d["labels"] else "")
        + f" from '{d['name']}' (fingerprint `{d['fingerprint']}`)",
        f"- axis: {len(folder.axis)} channels, {folder.axis[0]:g} to {folder.axis[-1]:g}{unit}",
        f"- mean intensity of a spectrum {folder.intensities.level_low:.3g} to {folder.intensities.level_high:.3g}, "
        f"in the units of the file; preprocessing: {_preprocessing(folder)}",
    ]
    for key, title in (("epochs", "epochs"), ("settings", "settings chosen")):
        if folder.training.get(key):
            value = folder.training[key]
            each = " of the members" if isinstance(value, list) else ""
            lines.append(f"- {title}{each}: {', '.join(map(str, value)) if each else value}")
    return "\n".join(lines)


def _preprocessing(folder: ModelFolder) -> str:
    """In words; of a committee each kind once, with how many members it serves."""
    kinds = Counter(describe(part.preprocessing.settings) for part in folder.parts)
    if len(kinds) == 1:
        return next(iter(kinds))
    return "; ".join(f"{kind} ({count} {'member' if count == 1 else 'members'})" for kind, count in kinds.items())


def _quality(folder: ModelFolder) -> str:
    if folder.decision is None:
        return (
            "## How good\n\nUnknown: the training data had too few groups to choose a threshold and judge it. The "
            "model gives similarities only."
        )
    d = folder.decision
    rows = [
        ("different groups called the same", d.false_same),
        ("the same group called different", d.false_different),
        ("balanced accuracy", d.balanced_accuracy),
        ("AUC, all pairs", d.auc),
        ("AUC, pairs of equal labels only", d.matched_auc),
    ]
    table = "\n".join(f"| {name} | {_estimate(value)} |" for name, value in rows)
    return (
        f"## How good, on groups never seen\n\n"
        f"Measured by {d.folds}-fold cross-validation with whole groups left out (protocol batch-disjoint), {d.seeds} "
        f"training {'run' if d.seeds == 1 else 'runs'} a fold, over {d.groups} groups, {d.same_pairs} same-group and "
        f"{d.different_pairs} different-group pairs. Intervals are 95 % over groups.\n\n"
        f"| | value (interval) |\n|---|---|\n{table}\n\n"
        f"Two spectra are called the same at a similarity of {d.threshold:.4f} or more. {_evidence(d)}"
    )


def _evidence(d: Decision) -> str:
    c = d.calibration
    return (
        f"Natural-log likelihood ratio = {c.slope:.3f} × similarity {c.intercept:+.3f}, kept within {c.lowest:.2f} and "
        f"{c.highest:.2f}: {d.groups} groups cannot support stronger evidence. Cost of these ratios (Cllr) "
        f"{d.cllr:.3f} bits, {d.min_cllr:.3f} at best; 1 bit is no information."
    )


def _limits(folder: ModelFolder) -> str:
    lines = [
        "## Limits",
        "",
        "- The error rates hold for new groups of the same kind of sample, measured the same way. A new "
        "instrument, season or species is outside; test it first.",
        "- They were measured on models trained on part of the groups; this one was trained on all.",
        "- A probability needs a prior: how often you expect a pair to be of one group. The default of "
        "one half is a convention.",
        "- Pairs that share a spectrum are not independent evidence.",
    ]
    lines += [f"- {sentence}" for sentence in (*folder.limits, *folder.notes)]
    return "\n".join(lines)


def _use(folder: ModelFolder) -> str:
    name = folder.name
    return (
        "## How to use\n\n"
        f"    spectrosim-search verify {name} new-spectra.csv\n"
        f"    spectrosim-search verify {name} unknown.csv --gallery known.csv --prior 0.1\n"
        f"    spectrosim-search embed {name} new-spectra.csv\n\n"
        "or in Python:\n\n"
        "    from spectrosim_search.deploy.verifier import Verifier\n"
        "    from spectrosim_search.spectra.readers import read\n\n"
        f'    result = Verifier.load("{name}").verify_pairs(read("new-spectra.csv"), prior=0.5)\n\n'
        "Warnings tell when axis or intensities lie outside the training data."
    )


def _estimate(e: Estimate) -> str:
    if not math.isfinite(e.value):
        return f"n/a ({e.note})" if e.note else "n/a"
    if not (math.isfinite(e.low) and math.isfinite(e.high)):
        return f"{e.value:.3f}" + (f" ({e.note})" if e.note else "")
    return f"{e.value:.3f} ({e.low:.3f} to {e.high:.3f})"
