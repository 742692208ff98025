"""The bench that a study's task needs."""

from __future__ import annotations

from spectrosim_search.config.study import Study
from spectrosim_search.search.class_bench import ClassBench
from spectrosim_search.search.workbench import Workbench
from spectrosim_search.spectra.spectra_set import SpectraSet

__all__ = ["make_bench"]


def make_bench(spectra: SpectraSet, study: Study, *, searchable: bool = True) -> Workbench | ClassBench:
    """Design and pieces of work of a study. Raises InputError for spectra that its protocol cannot split."""
    kind = Workbench if study.task == "same-batch" else ClassBench
    return kind(spectra, study, searchable=searchable)
