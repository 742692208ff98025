"""The end of a study that names a class: finalists with fresh seeds, reference rows, the conclusion.

With corrected-cv finalists are scored out of fold by models with fresh training seeds, and corrected for the selection
over units. With a hold-out the winner is trained on all searched spectra and names the held-out ones once.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace

from spectrosim_search.config.errors import RunError
from spectrosim_search.search.baseline_runs import fit_items
from spectrosim_search.search.budget import label_replicates
from spectrosim_search.search.candidates import Candidate, choose_candidates, confirm_items, held_out_items, within
from spectrosim_search.search.class_bench import ClassBench
from spectrosim_search.search.class_committee import Named, choose_class_committee
from spectrosim_search.search.class_conclusion import conclude_classes, search_methods
from spectrosim_search.search.class_fits import ClassReference, class_items, class_reference
from spectrosim_search.search.class_selection import select_class
from spectrosim_search.search.committee import trained_by
from spectrosim_search.search.confirm_budget import allowed, never, time_left, train, within_budget
from spectrosim_search.search.label_curve import label_curve
from spectrosim_search.search.progress import Listener
from spectrosim_search.search.records import EVERY_SEED, BaselineRecord, LabelPoint, Mirrored, StudyRecord
from spectrosim_search.search.store import Store
from spectrosim_search.search.store_baselines import read_fits
from spectrosim_search.search.workers.pool import Pool

__all__ = ["confirm_classes"]

DRAWN_SEEDS = 3  # most fits of a reference row that draws, for each fold


def confirm_classes(
    store: Store, bench: ClassBench, pool: Pool, say: Callable[[str], None], listener: Listener
) -> None:
    """Train finalists with fresh seeds while the budget lasts, conclude, store the confirmation.

    What the database holds already is not trained again. Raises RunError where no trial or no finalist was completed.
    """
    study, folds = bench.study, bench.folds
    started = time.monotonic()
    record = store.record(study.name)
    held = bench.design.hold_out is not None
    asked = study.confirmation
    candidates = choose_candidates(
        record.trials, {}, finalists=asked.finalists, seeds=asked.seeds, preset_seeds=asked.preset_seeds
    )
    if not candidates:
        raise RunError("no trial climbed the whole ladder: give the study more time (--minutes) or trials (--trials)")
    committee = choose_class_committee(record.trials, asked, study.metric)
    contenders: list[Named] = [*candidates, committee] if committee else [*candidates]
    trained = [*candidates, *(committee.members if committee else ())]

    def curve_seconds() -> float:
        """What the curve over labels takes in any case, at the pace of the slowest finalist."""
        paces = [[r.total_seconds for r in c.replicates.values()] for c in candidates if c.replicates]
        slowest = max((sum(own) / len(own) for own in paces), default=0.0)
        return label_replicates(asked, folds) * slowest / pool.slots

    go_on = within_budget(study, record, started, contenders, folds, curve_seconds)
    if any(r.phase == "hold-out" for r in record.replicates):
        go_on = never  # with more seeds another winner might be scored on the held-out spectra
    different = len({c.identity for c in trained})
    say(f"confirmation: {different} configurations with fresh seeds")
    most = allowed(study, record, different, bench, held_out=held)
    train(within(confirm_items(trained, bench), most), study, store, pool, go_on, listener)
    finished = [c for c in contenders if c.complete_seeds(folds)]
    say("what choosing among the trials adds to a score")
    methods = search_methods(record, folds)
    selection = select_class(finished, methods, folds, bench.design.units, study.metric, study.seed)
    winner = selection.winner
    if held:
        say("the held-out spectra are scored once")
        train(held_out_items(trained_by(winner), bench), study, store, pool, lambda: True, listener)
    say(f"reference rows: {', '.join(study.baselines)}")
    seeds = sorted({s for c in finished for s in c.complete_seeds(folds)})[:DRAWN_SEEDS]
    references = _references(store, bench, pool, seeds, time_left(study, record, started), listener)
    curve: tuple[LabelPoint, ...] = ()
    single = selection.single
    if asked.label_fractions and single is not None:
        say(f"shares of the labels: {', '.join(f'{share:.0%}' for share in (*asked.label_fractions, 1.0))}")
        fresh = [s for s in seeds if s in single.complete_seeds(folds)]
        more = never if study.budget.replicates else time_left(study, record, started)
        title = "Winner" if single is winner else single.title
        curve = label_curve(store, bench, pool, single, fresh, more, listener, title=title)
    say("intervals and verdict")
    for r in references:
        store.set_baseline(study.name, _stored(r, held))
    conclusion = conclude_classes(bench, finished, selection, references)
    store.set_confirmation(
        study.name, replace(conclusion, mirrored=_mirrored(record, bench, winner), label_curve=curve)
    )


def _mirrored(record: StudyRecord, bench: ClassBench, winner: Named) -> Mirrored | None:
    """What the winner's first fold with its first fresh seed made, beside spectra it was not shown."""
    make, before = getattr(bench.program, "mirrored", None), record.confirmation
    if make is None or not isinstance(winner, Candidate):
        return None
    if before is not None and before.mirrored is not None and before.winner_configuration_id == winner.identity:
        return before.mirrored
    task = bench.task(bench.confirmation_items(winner.configuration, 1)[0])
    found: Mirrored | None = make(task, bench.design.classes[task.judged])
    return found


def _references(
    store: Store, bench: ClassBench, pool: Pool, seeds: Sequence[int], go_on: Callable[[], bool], listener: Listener
) -> list[ClassReference]:
    """Fit what is not stored yet: a first seed of every row in any case, further ones while `go_on` says so."""
    study = bench.study
    items = class_items(bench, study.baselines, seeds, hold_out=True)
    stored = read_fits(store, study.name)
    fits = {i.key: stored[i.key] for i in items if i.key in stored and stored[i.key].status != "failed"}
    sure = [item for item in items if item.seed in (EVERY_SEED, *seeds[:1])]
    rest = [item for item in items if item.seed in seeds[1:]]
    for part, proceed in ((sure, lambda: True), (rest, go_on)):
        fit_items(store, study.name, pool, part, fits, proceed, listener, total=len(items))
    return [class_reference(name, bench, list(fits.values()), seeds) for name in study.baselines]


def _stored(r: ClassReference, held_out: bool) -> BaselineRecord:
    kept = r.held_out if held_out else r.method
    classes = tuple(c for seed in kept[:1] for c in seed)
    return BaselineRecord(r.name, r.title, (), r.settings, r.seconds, classes)
