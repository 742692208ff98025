"""Matched-label AUC is searched by only where labels meet in most halves."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from spectrosim_search.protocol.matching import matched_parts
from spectrosim_search.protocol.pairs import PairSet
from spectrosim_search.search.run import prepare_study
from spectrosim_search.spectra.simulators import simulate
from spectrosim_search.spectra.spectra_set import SpectraSet


def labelled(species: int) -> SpectraSet:
    return simulate("reims", batches=12, species=species, channels=64, peaks=12, seed=3)


@pytest.mark.parametrize(("species", "metric"), [(1, "matched_auc"), (4, "auc")])
def test_few_groups_of_many_labels_are_judged_over_all_pairs(species: int, metric: str) -> None:
    """Twelve groups of four labels leave one or two groups a label to a fold of four, and mostly one to its halves."""
    prepared = prepare_study("quick", spectra=labelled(species))
    assert prepared.study.metric == metric
    told = [w for w in prepared.spectra.warnings if "AUC over all pairs" in w]
    assert len(told) == (metric == "auc")


def test_a_metric_that_was_asked_for_stays_and_no_labels_need_no_warning() -> None:
    asked = prepare_study("quick", set_=["metric=balanced_accuracy"], spectra=labelled(4))
    assert asked.study.metric == "balanced_accuracy" and not asked.spectra.warnings
    plain = labelled(2)
    plain = dataclasses.replace(plain, labels=np.full(len(plain), ""), truth={})
    prepared = prepare_study("quick", spectra=plain)
    assert prepared.study.metric == "auc" and prepared.spectra.warnings == plain.warnings


def test_a_part_is_matched_where_two_labels_have_both_kinds_of_pairs() -> None:
    rows = np.arange(3)
    both = PairSet(rows, rows + 3, np.array([True, False, False]), np.array([0, 0, 1]))
    other = PairSet(rows, rows + 3, np.array([True, False, False]), np.array([0, 1, 2]))
    unlabelled = PairSet(rows, rows + 3, np.array([True, False, False]), np.array([-1, -1, -1]))
    assert matched_parts([both]) == 1 and matched_parts([other]) == 0 and matched_parts([unlabelled]) == 0
    assert matched_parts([both, other, unlabelled, unlabelled]) == 0.25
    assert np.isnan(matched_parts([]))
