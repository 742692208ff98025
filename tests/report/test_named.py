"""The report of a study that names classes: its words, its figures, its marks."""

from __future__ import annotations

import dataclasses
import math

import numpy as np

from spectrosim_search.config import registry
from spectrosim_search.report.class_counts import class_counts
from spectrosim_search.report.headline import facts
from spectrosim_search.report.members import members
from spectrosim_search.report.page import render
from spectrosim_search.report.table import plain_text, result_rows
from spectrosim_search.search.records import StudyRecord


def test_the_page_has_its_own_figures_and_none_on_pairs(named: StudyRecord) -> None:
    page = render(named)
    own = {m.name for m in members(task="pretrain")}
    assert {"class-confusion", "class-errors", "class-details", "methods", "history"} <= own
    assert not {"roc", "det", "similarity-distributions", "calibration", "leakage"} & own
    assert 'id="figure-class-confusion"' in page and 'id="figure-roc"' not in page
    assert "ROC: same-batch" not in page


def test_words_speak_of_classes_and_units(named: StudyRecord) -> None:
    told = dict(facts(named))
    assert told["Protocol"].startswith("names which label a spectrum has; whole groups are held out")
    assert "jackknife over groups" in told["How the score was obtained"]
    assert "Leakage audit" not in told
    assert list(result_rows(named)[0])[2] == "accuracy"
    assert "reference rows" in render(named)
    assert "macro F1" in plain_text(named)


def test_plain_folds_are_marked_as_leaking(named: StudyRecord) -> None:
    leaking = dataclasses.replace(named, design={**named.design, "leaks": True})
    assert plain_text(leaking).startswith("Leaking protocol (plain folds)")
    assert "accuracy (leaking)" in result_rows(leaking)[0]
    assert "; leaks" in dict(facts(leaking))["Protocol"]


def test_counts_against_counting_one_by_one(named: StudyRecord) -> None:
    c = named.confirmation
    counts = class_counts(c)
    assert c is not None and counts is not None
    table = np.zeros_like(counts.table)
    lost = np.zeros(len(counts.names), dtype=np.int64)
    for part in c.classes:
        for t, p in zip(part.truth.tolist(), part.predicted.tolist(), strict=True):
            if p < 0:
                lost[t] += 1
            else:
                table[t, p] += 1
    assert np.array_equal(counts.table, table) and np.array_equal(counts.rejected, lost)
    assert math.isclose(counts.error[3], 1 - table[3, 3] / (table[3].sum() + lost[3]))


def test_confusion_shows_the_classes_with_most_errors(named: StudyRecord) -> None:
    figure = registry.load("report.figures", "class-confusion").build(named)
    assert np.asarray(figure.data[0].z).shape == (30, 30)
    assert "30 of 36 classes" in figure.layout.meta["note"]


def test_made_spectra_stand_over_real_ones(named: StudyRecord) -> None:
    figure = registry.load("report.figures", "mirrored").build(named)
    assert len(figure.data) == 6  # two in each of three panels
    above, below = figure.data[0], figure.data[1]
    assert list(above.x) == [43.0, 43.0, None, 47.0, 47.0, None]
    assert list(above.y) == [0, 100, None, 0, 41.2, None]
    assert list(below.x) == [43.0, 43.0, None] and list(below.y) == [0, -100, None]  # a tenth of a percent is no line
    titles = [a.text for a in figure.layout.annotations]
    assert titles[1] == "class 7: class 16 of 32, weighted cosine .50 (class mean .50), novelty .50"
    study = dataclasses.replace(named.study, task="synthesis")
    assert 'id="figure-mirrored"' in render(dataclasses.replace(named, study=study))
    assert "mirrored" not in {m.name for m in members(task="pretrain")}


def test_the_curve_over_labels_shows_the_best_baselines(named: StudyRecord) -> None:
    made = registry.load("report.figures", "label-curve").build(named)
    assert [t.name for t in made.data] == ["Winner", "Counterpart", "Elm", "Lda", "Svm"]
    assert "Shown: 5 of 6 methods" in made.layout.meta["note"]
    winner, elm = made.data[0], made.data[2]
    assert np.allclose(winner.y, (0.8, 0.9)) and np.allclose(winner.error_y.array, (0.15, 0.05))
    assert "winner ahead by +.100 [-.020, .300]" in elm.hovertext[0] and "10 spectra a fold" in elm.hovertext[0]
    assert list(made.layout.xaxis.ticktext) == [".1", "all"]


def test_without_a_curve_it_says_what_to_ask_for(named: StudyRecord) -> None:
    module = registry.load("report.figures", "label-curve")
    assert named.confirmation is not None
    none = dataclasses.replace(named, confirmation=dataclasses.replace(named.confirmation, label_curve=()))
    assert module.build(none) is None and "confirmation.label_fractions" in module.missing(none)
