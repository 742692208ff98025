"""The end of a study: finalists and presets with fresh seeds, then the conclusion.

With corrected-cv the finalists are scored on the search's folds by models with fresh training seeds, and their scores
are corrected for the selection over groups. With a hold-out the winner and the presets (and what labels would have
chosen, where they did not choose) are trained again on all searched groups, for the number of epochs that validation
chose, and score the held-out groups once.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from spectrosim_search.config.configuration import Configuration
from spectrosim_search.config.errors import RunError
from spectrosim_search.search.axis_view import SEEDS, axis_view
from spectrosim_search.search.baseline_runs import score_baselines
from spectrosim_search.search.candidates import choose_candidates, confirm_items, held_out_items, within
from spectrosim_search.search.committee import choose_committee, trained_by
from spectrosim_search.search.conclusion import conclude
from spectrosim_search.search.confirm_budget import allowed, never, time_left, train, within_budget
from spectrosim_search.search.contenders import Contender
from spectrosim_search.search.documents import load_preset
from spectrosim_search.search.embedding_map import SHOWN, embedding_map
from spectrosim_search.search.label_free import ranking
from spectrosim_search.search.pareto import further_finalists
from spectrosim_search.search.progress import Listener
from spectrosim_search.search.records import ConfirmationRecord
from spectrosim_search.search.reference import baseline_record, reference_names
from spectrosim_search.search.selection import select
from spectrosim_search.search.shown import train_shown
from spectrosim_search.search.store import Store
from spectrosim_search.search.workbench import Workbench
from spectrosim_search.search.workers.pool import Pool

__all__ = ["Extra", "confirm"]


@dataclass(frozen=True)
class Extra:
    """How baselines join a study that is confirmed: seeds of those that draw, and whether there is time for a fit."""

    seeds: int
    go_on: Callable[[], bool]


def confirm(
    store: Store,
    bench: Workbench,
    pool: Pool,
    say: Callable[[str], None],
    listener: Listener,
    *,
    baselines: Extra | None = None,
    finish: Callable[[ConfirmationRecord], ConfirmationRecord] | None = None,
) -> None:
    """Train finalists and presets with fresh seeds while the budget lasts, conclude, store the confirmation.

    What the database holds already is not trained again. With `baselines` no model is trained at all: a study that is
    confirmed is concluded again with the baselines that have joined. `finish` may turn the confirmation into another
    before it is stored (nested scoring). Raises RunError where no trial or no finalist was completed.
    """
    study = bench.study
    started = time.monotonic()
    record = store.record(study.name)
    presets: dict[str, Configuration] = {name: load_preset(name) for name in study.confirmation.presets}
    by = ranking(record)
    candidates = choose_candidates(
        record.trials,
        presets,
        finalists=study.confirmation.finalists,
        seeds=study.confirmation.seeds,
        preset_seeds=study.confirmation.preset_seeds,
        further=further_finalists(record),
        by=by,
    )
    if not any(c.kind == "finalist" for c in candidates):
        raise RunError("no trial climbed the whole ladder: give the study more time (--minutes) or trials (--trials)")
    committee = choose_committee(record.trials, study.confirmation, study.metric, by)
    contenders: list[Contender] = [*candidates, committee] if committee else [*candidates]
    trained = [*candidates, *(committee.members if committee else ())]
    go_on = within_budget(study, record, started, contenders, bench.design.folds)
    if baselines is not None or any(r.phase == "hold-out" for r in record.replicates):
        go_on = never  # with more seeds another winner might be scored on the held-out groups
    different = len({c.identity for c in trained})
    if baselines is None:
        say(f"confirmation: {different} configurations with fresh seeds")
    train(
        within(
            confirm_items(trained, bench),
            allowed(study, record, different, bench, held_out=bench.design.hold_out is not None),
        ),
        study,
        store,
        pool,
        go_on,
        listener,
    )
    finished = [c for c in contenders if len(c.complete_seeds(bench.design.folds)) > 0]
    search = {
        t.number: [
            r for r in record.replicates if r.phase == "search" and r.configuration_id == t.configuration_id and r.pairs
        ]
        for t in record.trials
        if t.state == "COMPLETE"
    }
    say("what choosing among the trials adds to a score")
    selection = select(bench, finished, search)
    winner = selection.winner
    if bench.design.hold_out is not None:
        if baselines is None:
            say("the held-out groups are scored once")
        last = [c for c in finished if c is winner or c.kind == "preset" or c.labels_choose]
        alone = [one for c in last for one in trained_by(c)]
        train(held_out_items(alone, bench), study, store, pool, go_on if baselines else lambda: True, listener)
    names = reference_names(record.study, bench.spectra)
    say(f"reference rows: {', '.join(names)}")
    references = score_baselines(
        store,
        bench,
        pool,
        names,
        sorted({s for c in finished if c.kind == "finalist" for s in c.complete_seeds(bench.design.folds)}),
        hold_out=True,
        drawn_seeds=None if baselines is None else baselines.seeds,
        least_seeds=study.confirmation.minimum_seeds if baselines is None else 0,
        go_on=time_left(study, record, started) if baselines is None else baselines.go_on,
        listener=listener,
    )
    say("intervals and verdict")
    conclusion = conclude(bench, finished, selection, references)
    before = record.confirmation
    if baselines is not None and before is not None and before.winner_configuration_id == winner.identity:
        conclusion = replace(conclusion, embedding=before.embedding, axis_view=before.axis_view)
    else:
        say("what the winner sees")
        conclusion = _shown(conclusion, bench, winner)
    for reference in references:
        store.set_baseline(study.name, baseline_record(reference, bench.design.folds))
    store.set_confirmation(study.name, conclusion if finish is None else finish(conclusion))


def _shown(conclusion: ConfirmationRecord, bench: Workbench, winner: Contender) -> ConfirmationRecord:
    """With the map of the winner's embeddings and its view along the axis; of a committee, its best member's view."""
    wanted = bench.study.confirmation.axis_view
    seeds = [SEEDS if wanted else 1, *[1] * (SHOWN - 1)]
    models = [train_shown(bench, c, count) for c, count in zip(winner.configurations, seeds)]
    if not all(models):
        return conclusion
    view = axis_view(models[0]) if wanted else None
    return replace(conclusion, embedding=embedding_map([first for first, *_ in models]), axis_view=view)
