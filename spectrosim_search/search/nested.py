"""Nested scoring: the procedure is judged, not one configuration (Varma and Simon 2006, BMC Bioinformatics 7:91).

For each outer fold a whole study is run on the spectra of the other groups alone: search, finalists with fresh seeds,
baselines. Its winner (of a committee every member) is trained again on all of them and its leading baseline fitted on
all of them; both then score the fold's pairs. Nothing is left to correct for: whatever the search chose, it chose
without the groups that judge it. A last search on all groups gives what to take away; its own score is not shown.

Each search asks for all the study's trials, for the procedure that is judged must be the one whose winner is exported.
Minutes and replicates are limits of cost, so the searches share them evenly.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from spectrosim_search.baselines import title
from spectrosim_search.config.errors import RunError
from spectrosim_search.config.study import Study
from spectrosim_search.evaluation.scores import PairScores
from spectrosim_search.evaluation.verification import choose_threshold
from spectrosim_search.protocol.cells import HoldOut, check_disjoint
from spectrosim_search.protocol.design import Design
from spectrosim_search.search.baseline_items import BaselineItem, recorded, run_part
from spectrosim_search.search.budget import committee_seeds
from spectrosim_search.search.candidates import Candidate
from spectrosim_search.search.committee import Committee, trained_by
from spectrosim_search.search.confirm_budget import train
from spectrosim_search.search.nested_conclusion import InnerSearch, conclude_nested
from spectrosim_search.search.progress import Listener
from spectrosim_search.search.records import EVERY_SEED, BaselineFit, ConfirmationRecord
from spectrosim_search.search.reference import (
    ReferenceScores,
    baseline_record,
    pair_scores,
    reference_names,
)
from spectrosim_search.search.store import Store
from spectrosim_search.search.store_baselines import stored_study
from spectrosim_search.search.store_question import inner_name
from spectrosim_search.search.workbench import Workbench
from spectrosim_search.search.workers.pool import Pool
from spectrosim_search.spectra.spectra_set import SpectraSet

__all__ = ["inner_spectra", "inner_study", "is_finished", "judge", "last_study", "outer_replicates", "searches"]


def searches(study: Study) -> int:
    """How many searches nested scoring runs: one in each outer fold and the last."""
    return study.protocol.outer_folds + 1


def outer_replicates(study: Study) -> int:
    """Replicates that score the outer folds, at most: seeds of a single winner, or of every member of a committee."""
    asked = study.confirmation
    several = asked.committee * committee_seeds(asked, asked.committee) if asked.committee else 0
    return study.protocol.outer_folds * max(asked.seeds, several)


def last_study(study: Study) -> Study:
    """The last search, on all groups, with its share of the budget; presets have no place in the table and are left
    out."""
    budget = study.budget
    left = max(0, budget.replicates - outer_replicates(study)) // searches(study)
    share = replace(
        budget, minutes=budget.minutes / searches(study), replicates=max(1, left) if budget.replicates else 0
    )
    return replace(study, budget=share, confirmation=replace(study.confirmation, presets=()))


def inner_study(study: Study, fold: int) -> Study:
    """The search in one outer fold: the same question, cross-validated over the groups it is given."""
    return replace(
        last_study(study),
        name=inner_name(study.name, fold),
        description=f"Outer fold {fold + 1} of {study.protocol.outer_folds} of the study '{study.name}'.",
        protocol=replace(study.protocol, scoring="corrected-cv"),
    )


def inner_spectra(spectra: SpectraSet, design: Design, fold: int) -> SpectraSet:
    """The spectra that the search in one outer fold is given.

    Raises RunError where one of them shares a group, or a unit of the split column, with the groups held out.
    """
    outer = design.outer[fold]
    held = np.setdiff1d(design.codes.usable(), outer.train)
    check_disjoint(design.units, search=outer.train, outer_fold=held)
    inner = spectra.select(outer.train)
    judged = np.unique(np.concatenate([outer.pairs.left, outer.pairs.right]))
    leaked = set(inner.groups.tolist()) & set(spectra.groups[np.union1d(held, judged)].tolist())
    if leaked:
        raise RunError(f"split is broken: the search of outer fold {fold + 1} was given group '{min(leaked)}'")
    return inner


def is_finished(store: Store, study: Study) -> bool:
    """Whether an inner study was confirmed under this very budget and confirmation, beside all of these baselines."""
    if not any(s.name == study.name and s.confirmed for s in store.studies(inner=True)):
        return False
    stored = store.record(study.name).study
    same = (stored.budget, stored.confirmation) == (study.budget, study.confirmation)
    return same and set(study.baselines) <= set(stored.baselines)


def judge(
    store: Store,
    bench: Workbench,
    pool: Pool,
    last: ConfirmationRecord,
    say: Callable[[str], None],
    listener: Listener,
) -> ConfirmationRecord:
    """Score the outer folds, once all searches are over: `last` with the score and the verdict of the procedure.

    `pool` trains for the study itself, on all groups. Stored replicates are not trained again. Raises RunError where an
    inner search has not ended or no seed was trained on every outer fold.
    """
    outer = bench.design.outer
    study = stored_study(store, bench.study.name) or bench.study  # with every baseline that has joined
    inner = [_read(store, inner_name(study.name, fold)) for fold in range(len(outer))]
    seeds = min(i.winner.seeds for i in inner)
    say("the outer folds are scored once")
    cells, complete = _scored(store, bench, pool, inner, seeds, listener)
    if not complete:
        raise RunError("no seed was trained on every outer fold: look at the replicates that failed")
    references = [_reference(name, bench, inner, say) for name in reference_names(study, bench.spectra)]
    say("intervals and verdict of the procedure")
    found = conclude_nested(bench, last, inner, cells, references)
    for reference in references:
        store.set_baseline(study.name, baseline_record(reference, bench.design.folds))
    if complete < seeds:
        warning = f"{seeds - complete} of {seeds} seeds failed on some outer fold and are left out"
        found = replace(found, warnings=(*found.warnings, warning))
    return found


def _scored(
    store: Store, bench: Workbench, pool: Pool, inner: Sequence[InnerSearch], seeds: int, listener: Listener
) -> tuple[list[tuple[PairScores, ...]], int]:
    """The scored pairs of the inner winners, in the order seeds, then outer folds, and the number of these seeds.

    A winner, or every member of a committee that won, is trained on all that its search was given, for the epochs that
    its own validation chose; a committee's similarities are averaged. A seed that failed in some fold is left out.
    """
    each = [
        (member, bench.hold_out_items(member.configuration, seeds, member.epochs(), fold=fold))
        for fold, i in enumerate(inner)
        for member in trained_by(i.contender)
    ]
    # seed by seed, so that what is interrupted has whole seeds
    work = [(member, items[place]) for place in range(seeds) for member, items in each]
    train(work, bench.study, store, pool, lambda: True, listener)
    parts = [i.contender.held_out_parts() for i in inner]
    whole = sorted(set.intersection(*(set(own) for own in parts)))
    cells = [
        tuple(replace(p, threshold=i.confirmation.threshold) for p in own[seed])
        for seed in whole
        for i, own in zip(inner, parts, strict=True)
    ]
    return cells, len(whole)


def _read(store: Store, name: str) -> InnerSearch:
    record = store.record(name)
    confirmation = record.confirmation
    if confirmation is None:
        raise RunError(f"the search '{name}' has not ended: run the study again")
    trials = {t.number: t.configuration for t in record.trials if t.configuration is not None}
    numbers = confirmation.winner_members or (confirmation.winner_trial,)
    winner = next((row for row in confirmation.rows if row.kind == "winner"), None)
    if winner is None or any(number not in trials for number in numbers):
        raise RunError(f"the search '{name}' has no winner that could be trained again")
    members = tuple(
        Candidate(f"trial-{n}", f"Trial {n}", "finalist", trials[n], n, record.study.confirmation.seeds)
        for n in numbers
    )
    for replicate in record.replicates:
        for member in members:
            if replicate.phase == "confirm" and replicate.configuration_id == member.identity:
                member.add(replicate)
    if len(members) == 1:
        return InnerSearch(record, confirmation, members[0], winner)
    committee = Committee("committee", winner.title, "finalist", members, confirmation.metric)
    return InnerSearch(record, confirmation, committee, winner)


def _reference(
    name: str, bench: Workbench, inner: Sequence[InnerSearch], say: Callable[[str], None]
) -> ReferenceScores:
    """One reference row on the outer folds, fitted on the groups of each fold's search, its threshold from there.

    One bad fit makes the row n/a, as it does out of fold.
    """
    say(f"reference row {name} on the outer folds")
    scored: list[tuple[PairScores, ...]] = []
    settings: list[str] = []
    seconds = 0.0
    for fold, (outer, search) in enumerate(zip(bench.design.outer, inner, strict=True)):
        fit = _fitted(name, bench, outer, fold)
        seconds += fit.seconds
        if fit.status != "finished":
            return ReferenceScores(name, title(name), [], [], "", seconds, reason=fit.reason)
        known = [p for b in search.record.baselines if b.name == name for p in b.pairs]
        threshold = float("nan")
        if known:
            threshold = choose_threshold(
                np.concatenate([p.similarity for p in known]), np.concatenate([p.positive for p in known])
            )
        scored.append(tuple(replace(p, threshold=threshold) for p in fit.pairs))
        settings.append(fit.settings)
    used = " | ".join(dict.fromkeys(s for s in settings if s))
    return ReferenceScores(name, title(name), [], scored, used, seconds)


def _fitted(name: str, bench: Workbench, outer: HoldOut, fold: int) -> BaselineFit:
    """One fit on all that a search was given, scored on the pairs of its outer fold; what goes wrong is its reason."""

    def fitted() -> dict[str, Any]:
        output = run_part(bench, name, outer, (outer.pairs,), seed=bench.study.seed)
        return {"settings": output.settings, "pairs": (pair_scores(outer.pairs, output.similarities[0], math.nan),)}

    item = BaselineItem("", name, fold, EVERY_SEED, (EVERY_SEED,), bench.study)
    return recorded(item, fitted, worker="", environment_id="")
