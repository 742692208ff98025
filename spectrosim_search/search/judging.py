"""Which metric a study can be judged by on these spectra."""

from __future__ import annotations

from dataclasses import replace

from spectrosim_search.config.study import Study
from spectrosim_search.protocol.matching import matched_parts
from spectrosim_search.search.workbench import Workbench
from spectrosim_search.spectra.spectra_set import SpectraSet

__all__ = ["with_defined_metric"]

LEAST = 0.5  # share of the halves in which matched-label AUC has to be defined


def with_defined_metric(study: Study, spectra: SpectraSet) -> tuple[Study, tuple[str, ...]]:
    """The study, by AUC over all pairs where matched-label AUC is undefined in most halves, and a warning that says so.

    Where labels have one group in most halves, a matched score speaks of the few halves in which two happen to meet,
    and a search would climb on chance. Without any labels nothing needs to be said. Raises InputError for spectra that
    the protocol cannot split.
    """
    if study.metric != "matched_auc":
        return study, ()
    bench = Workbench(spectra, study, searchable=False)
    splits = [bench.split(fold, seed) for seed in range(study.protocol.seeds) for fold in range(bench.design.folds)]
    share = matched_parts(half for split in splits for half in split.halves)
    if share >= LEAST:
        return study, ()
    told = (
        f"labels meet in {share:.0%} of the halves only, so scores are AUC over all pairs instead of matched-label "
        "AUC: measure more groups of each label to match them".replace("%", " %"),
    )
    return replace(study, metric="auc"), told if (spectra.labels != "").any() else ()
